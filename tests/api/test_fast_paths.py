"""The switches of the fast paths: with a fast path off, clients get the same answers and the same events."""

from collections import Counter
from typing import Any

import pytest

from app.live.rendering import EventRenderer
from config.settings import Settings
from schema.engine.fast_lists import list_answers, list_compiler
from services import brands
from services.views.events import Event
from tests.api.clients import Api
from tests.api.servers import running_api
from tests.api.streams import emit
from tests.api.test_reads import HISTORIES, a_trader
from tests.services.world import ADMIN

EVENTS = 'subscription { challengeEvents(after: "0") { cursor name payload } }'


async def test_lists_are_answered_alike_with_and_without_the_fast_path(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled, compile_items = Counter[bool](), list_compiler.compile_items
    answers: dict[bool, Any] = {}
    token = account = ""
    for is_fast in (False, True):

        def counted(*args: Any, is_fast: bool = is_fast, **named: Any) -> Any:
            compiled[is_fast] += 1
            return compile_items(*args, **named)

        monkeypatch.setattr(list_answers, "compile_items", counted)
        async with running_api(Settings(database_url=empty_database, fast_lists=is_fast)) as api:
            if not account:
                token, account = await a_trader(api)
            answers[is_fast] = await api.answer(HISTORIES, token, id=account)
    assert answers[False] == answers[True]
    assert len(answers[True]["data"]["account"]["ledger"]["nodes"]) == 3
    assert compiled[True] > 0
    assert compiled[False] == 0


async def test_events_are_the_same_with_and_without_the_fast_path(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered, payload = Counter[bool](), EventRenderer.payload
    messages: dict[bool, Any] = {}
    token = ""
    for is_fast in (False, True):

        def counted(renderer: EventRenderer, selection: Any, event: Event, is_fast: bool = is_fast) -> bytes:
            rendered[is_fast] += 1
            return payload(renderer, selection, event)

        monkeypatch.setattr(EventRenderer, "payload", counted)
        async with running_api(Settings(database_url=empty_database, fast_fan_out=is_fast)) as api:
            if not token:
                token = await _a_manager(api)
            async with api.follow(token, EVENTS) as follower:
                messages[is_fast] = [await follower.socket.recv() for _ in range(3)]
    assert messages[False] == messages[True]
    assert rendered == {True: 3}


async def _a_manager(api: Api) -> str:
    """Return the token of a brand's manager; the brand has three events."""
    await brands.save_brand(ADMIN, name="acme", title="acme")
    await emit(1, *({"place": place} for place in range(3)))
    return await api.token("MANAGER", "acme")
