"""The fan-out: an event is rendered once per selection, and equals what the plain executor returns."""

import asyncio
import json
import random
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode

from app.live import fan_out
from app.live.fan_out import FanOut, Subscriber, SubscriberGroup
from app.live.hub import READERS, Hub
from app.live.rendering import EventRenderer, recognize_selection
from app.server.websockets import text_frame
from config.database import connection
from models.views.visibility import Visibility
from resolvers.main import schema
from schema.engine.document_limits import DocumentLimits, parse_document
from schema.engine.request_context import Context
from services import brands, events, retention
from services.principals import Principal, Role
from services.unit_of_work.openings import transaction
from services.views.events import (
    Cursor,
    CursorExpired,
    Event,
    EventFilter,
    SubscriptionTerms,
    events_after,
    events_between,
)
from services.views.ticks import Watched
from tests.api.clients import PATIENCE_SECONDS, TRANSPORT, Api, send, until
from tests.api.sockets import Flaky, Willing
from tests.api.streams import NAME, a_supervisor, emit, subscribe
from tests.services.world import ADMIN, a_world

PLAIN = ("cursor", "position", "number", "name", "marketTime", "challengeId", "payload", "__typename")
ADA = Principal(1, "ada", Role.ADMIN)
NOW = datetime.now(UTC)
FACTS = {"text": 'é"\\', "n": [1, None, True]}
AN_EVENT = Event(2**41, 2**40, "acme", 7, 3, "prop.challenge.warning", FACTS, NOW, "alice", NOW)


class OneEvent:
    """An event source of one event."""

    async def subscribe(self, principal: Principal, wanted: EventFilter, after: Cursor | None) -> Any:
        yield AN_EVENT

    async def changes(self, watched: Watched) -> Any:
        yield


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Draw a subscription with aliases, nested fragments and directives, and its variables."""
    conditions = ["true", "false", "$yes", "$no", "$open"]
    names = [f"F{n}" for n in range(draw(st.integers(0, 3)))]

    def directives() -> str:
        named = draw(st.sets(st.sampled_from(["skip", "include"])))
        return " ".join(f"@{name}(if: {draw(st.sampled_from(conditions))})" for name in sorted(named))

    def selection(depth: int, spreads: list[str]) -> str:
        parts = ["__typename"]
        for _ in range(draw(st.integers(1, 4))):
            kind = draw(st.sampled_from(["field", "field", "field", "inline", "spread"]))
            if kind == "inline" and depth:
                on = draw(st.sampled_from(["", "... on ChallengeEvent", "..."])) or "..."
                parts.append(f"{on} {directives()} {selection(depth - 1, spreads)}")
            elif kind == "spread" and spreads:
                parts.append(f"...{draw(st.sampled_from(spreads))} {directives()}")
            else:
                field = draw(st.sampled_from(PLAIN))
                alias = draw(st.sampled_from(["", f"{field.strip('_')}_1: ", f"{field.strip('_')}_2: "]))
                parts.append(f"{alias}{field} {directives()}")
        return "{ " + " ".join(draw(st.permutations(parts))) + " }"

    root = draw(st.sampled_from(["", "it: "]))
    body = f"{root}challengeEvents {selection(2, names)}"
    if draw(st.booleans()):
        body = f"... on Subscription {{ {body} {body} }}"
    fragments = [f"fragment {n} on ChallengeEvent {selection(1, names[:i])}" for i, n in enumerate(names)]
    declared = "$yes: Boolean = true, $no: Boolean!, $open: Boolean = false"
    variables: dict[str, Any] = {"no": False}
    if draw(st.booleans()):
        variables["open"] = draw(st.booleans())
    unused = "used: challengeId @skip(if: $yes) @include(if: $no) u2: name @include(if: $open)"
    spread = " ".join(f"...{n}" for n in names)
    body = body.replace("challengeEvents {", f"challengeEvents {{ {unused} {spread}", 1)
    return " ".join([f"subscription Live({declared}) {{ {body} }}", *fragments]), variables


@settings(max_examples=40)
@given(documents())
async def test_a_ready_frame_is_what_executing_for_one_gives(document: tuple[str, dict[str, Any]]) -> None:
    text, variables = document
    context = Context(OneEvent(), ADA, limits=DocumentLimits(aliases=10_000))
    results: list[Any] = [r async for r in await schema.stream(text, variable_values=variables, context_value=context)]
    assert [r.errors for r in results] == [None], text
    selection = recognize_selection(parse_document(text, 10_000), "Live", variables)
    assert selection is not None, text
    ready = EventRenderer().payload(selection, AN_EVENT)
    assert ready.decode() == json.dumps({"data": results[0].data}, separators=(",", ":")), text


UNLIKE = [
    "subscription { challengeEvents { cursor challenge { id } } }",
    "subscription { challengeEvents { ...F } } fragment F on ChallengeEvent { challenge { id } }",
    'subscription { challengeMetrics(challengeId: "1") { equity } }',
    "{ me { role } }",
]


@pytest.mark.parametrize("text", UNLIKE)
def test_what_may_depend_on_who_asks_is_not_shared(text: str) -> None:
    assert recognize_selection(parse_document(text, 1_000), None, None) is None
    left_out = "subscription { challengeEvents { cursor challenge @skip(if: true) { id } } }"
    assert recognize_selection(parse_document(left_out, 1_000), None, None) is not None


ALIKE = [
    "subscription ($after: String) { challengeEvents(after: $after) { cursor payload } }",
    """subscription ($after: String) { challengeEvents(after: $after) { ...F } }
    fragment F on ChallengeEvent { cursor payload }""",
    """subscription ($after: String, $no: Boolean = false) {
    challengeEvents(after: $after) { cursor name @include(if: $no) payload } }""",
]


@pytest.fixture
async def manager(api: Api) -> str:
    """Return the token of a brand without challenges; the events belong to invented ones."""
    await brands.save_brand(ADMIN, name="acme", title="acme")
    return await api.token("MANAGER", "acme")


async def test_an_event_is_rendered_once_for_all_who_ask_for_the_same(api: Api, manager: str) -> None:
    async with AsyncExitStack() as stack:
        sockets = []
        for number in range(24):
            socket = await stack.enter_async_context(connect(api.websocket_url, subprotocols=[TRANSPORT]))
            await subscribe(socket, manager, ALIKE[number % 3], operation=f"op-{number % 5}", after="0")
            sockets.append(socket)
        for place in range(10):
            await emit(1, {"place": place})
        for number, socket in enumerate(sockets):
            for place in range(10):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    text = await socket.recv()
                payload = f'{{"data":{{"challengeEvents":{{"cursor":"1-{place + 1}","payload":{{"place":{place}}}}}}}}}'
                assert text == f'{{"id":"op-{number % 5}","type":"next","payload":{payload}}}'
        assert api.hub.renderer.rendered == 10
        other = await stack.enter_async_context(connect(api.websocket_url, subprotocols=[TRANSPORT]))
        await subscribe(other, manager, 'subscription { challengeEvents(after: "0") { name } }')
        for _ in range(10):
            assert json.loads(await other.recv())["payload"]["data"]["challengeEvents"] == {"name": NAME}
        assert api.hub.renderer.rendered == 20


async def test_what_depends_on_who_asks_is_answered_to_each(api: Api) -> None:
    world = await a_world(api.database_url)
    challenge, _ = await world.buy()
    query = 'subscription { challengeEvents(after: "0") { challengeId challenge { id client } } }'
    for role, subject in (("MANAGER", None), ("CLIENT", "alice"), ("TRADER", None)):
        async with api.follow(await api.token(role, "acme", subject), query) as follower:
            (event,) = await follower.events(1)
            assert event == {"challengeId": str(challenge), "challenge": {"id": str(challenge), "client": "alice"}}
    assert api.hub.renderer.rendered == 0


async def test_who_falls_behind_and_catches_up_misses_and_repeats_nothing(database: str) -> None:
    await brands.save_brand(ADMIN, name="acme", title="acme")
    hub, chance = Hub(database, ring_size=20), random.Random(3)
    await hub.begin()
    selection = recognize_selection(parse_document("subscription { challengeEvents { position } }", 100), None, None)
    assert selection is not None
    sockets = [Flaky(chance) for _ in range(12)]
    wanted = [EventFilter(), EventFilter(challenges=frozenset({1}))]
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(hub.run(a_supervisor())), tasks.create_task(events.stamp_for_ever())]
        for number, socket in enumerate(sockets):
            group = SubscriberGroup(SubscriptionTerms.of(ADA, wanted[number % 2]), selection)
            running.append(tasks.create_task(hub.follow(Subscriber(group, socket, b"", 0))))
        await asyncio.gather(*(_write(challenge, 60) for challenge in (1, 2, 3)))
        await until(lambda: all(len(s.positions) == (60 if n % 2 else 180) for n, s in enumerate(sockets)))
        for task in running:
            task.cancel()
    for number, socket in enumerate(sockets):
        if number % 2 == 0:
            assert socket.positions == list(range(1, 181))
        assert socket.positions == sorted(set(socket.positions))
        assert socket.refused


async def test_however_many_have_missed_much_few_ask_the_database_at_once(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await brands.save_brand(ADMIN, name="acme", title="acme")
    await emit(1, *({} for _ in range(40)))
    await events.stamp()
    hub, reading = Hub(database), Counter[str]()

    async def counted(*given: Any) -> list[Event]:
        reading["now"] += 1
        reading["most"] = max(reading["most"], reading["now"])
        found = await events_between(*given)
        reading["now"] -= 1
        return found

    monkeypatch.setattr("services.views.events.events_between", counted)
    await hub.begin()
    selection = recognize_selection(parse_document("subscription { challengeEvents { position } }", 100), None, None)
    assert selection is not None
    sockets = [Willing() for _ in range(40)]
    members = [
        Subscriber(SubscriberGroup(SubscriptionTerms.of(ADA, EventFilter()), selection), socket, b"", 0)
        for socket in sockets
    ]
    following = [asyncio.create_task(hub.follow(member)) for member in members]
    await until(lambda: all(len(socket.positions) == 40 for socket in sockets))
    for task in following:
        task.cancel()
    assert reading["most"] == READERS.bearer, "all of them are nobody's"


async def test_who_joins_while_the_others_are_told_is_not_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "TURN", 1)
    monkeypatch.setattr(fan_out, "CHUNK_BYTES", 1)
    selection = recognize_selection(parse_document("subscription { challengeEvents { position } }", 100), None, None)
    assert selection is not None
    group, fanned = SubscriberGroup(SubscriptionTerms.of(ADA, EventFilter()), selection), FanOut(EventRenderer())
    sockets = [Willing(), Willing(), Willing()]
    early, late, gone = (
        Subscriber(group, socket, b"", cursor) for socket, cursor in zip(sockets, (0, 5, 0), strict=True)
    )
    fanned.join(early)
    fanned.join(gone)
    events = [replace(AN_EVENT, position=position, brand_position=position) for position in range(1, 6)]
    telling = asyncio.create_task(fanned.publish(events))
    await until(lambda: sockets[0].positions == [1])
    fanned.join(late)  # it has had everything from the ring
    gone.has_left = True
    await telling
    assert [socket.positions for socket in sockets] == [[1, 2, 3, 4, 5], [], []]


async def test_an_operation_that_is_completed_gets_nothing_more_and_its_id_is_free(api: Api, manager: str) -> None:
    query = "subscription ($after: String) { challengeEvents(after: $after) { cursor } }"
    async with api.follow(manager, query, after="0") as follower:
        await emit(1, {})
        assert await follower.events(1) == [{"cursor": "1-1"}]
        await send(follower.socket, type="complete", id="1")
        await send(follower.socket, type="ping")
        assert json.loads(await follower.socket.recv()) == {"type": "pong"}
        await until(lambda: api.hub.subscribers == 0)
        await emit(1, {})
        await until(lambda: api.hub.head == 2)
        await send(follower.socket, type="subscribe", id="1", payload={"query": query, "variables": {"after": "0"}})
        assert await follower.events(2) == [{"cursor": "1-1"}, {"cursor": "1-2"}]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 100_000])
def test_a_ready_frame_is_one_of_the_websocket_protocol(size: int) -> None:
    text = "x" * size
    expected = Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
    assert text_frame(text.encode()) == expected


async def _write(challenge: int, count: int) -> None:
    for place in range(count):
        await emit(challenge, {"place": place})


MADE_UP = 990

SCOPES: list[tuple[list[str], list[str], list[str], list[str]] | None] = [
    None,
    (["alice"], [], [], []),
    (["bob"], [], [], []),
    ([], ["clone-1"], [], []),
    ([], [], ["challenge"], []),
    ([], [], ["made up"], []),
    ([], [], [], ["account"]),
    (["nobody"], ["none"], ["made up"], ["account"]),
]


async def test_in_memory_the_same_is_let_through_as_in_the_database(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    async with connection(database) as conn:
        await conn.execute("update accounts set clone = 'clone-1' where id = $1", account)
    for brand in ("acme", "other"):
        await brands.save_brand(ADMIN, name=brand, title=brand)
        await emit(MADE_UP, {}, brand=brand)
    await events.stamp()
    everything = await events_after(0, 1_000)
    assert {event.brand for event in everything} == {"acme", "other"}
    seen: set[int] = set()
    for scope in SCOPES:
        for whose, client in ((None, None), ("acme", None), ("acme", "alice"), ("acme", "bob"), ("other", "alice")):
            for wanted in (
                EventFilter(),
                EventFilter(client="alice"),
                EventFilter(challenges=frozenset({MADE_UP})),
                EventFilter(names=frozenset({NAME})),
            ):
                for trades in (False, True):
                    visibility = Visibility(whose, client, _numbered(scope, challenge, account), trades)
                    terms = SubscriptionTerms(visibility, wanted)
                    stored = await events_between(terms, 0, 10**9, 1_000)
                    assert stored == [event for event in everything if terms.admit(event, event.reach)], terms
                    seen.add(len(stored))
    assert len(seen) > 3


def _numbered(scope: Any, challenge: int, account: int) -> Any:
    if scope is None:
        return None
    numbers = {"challenge": challenge, "account": account, "made up": MADE_UP}
    owners, clones, challenges, accounts = scope
    found = [tuple(numbers[name] for name in names) for names in (challenges, accounts)]
    return (tuple(owners), tuple(clones), *found)


async def test_a_cursor_older_than_what_is_kept_is_refused(api: Api, manager: str) -> None:
    await emit(1, *({"place": place} for place in range(6)))
    await until(lambda: api.hub.head == 6)
    async with connection(api.database_url) as conn:
        await conn.execute("update events set recorded_at = now() - interval '401 days' where position <= 4")
    assert [(await retention.delete_old_rows()).events for _ in range(2)] == [4, 0]
    api.hub._floor = api.hub.head  # noqa: SLF001 - as in a process that was started since
    query = "subscription ($after: String) { challengeEvents(after: $after) { payload %s } }"
    for selection in ("", "challenge { id }"):
        for after in ("0", "1-4", "1-7", "6"):  # 1-7: of before a restore; 6: as they once were
            async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket:
                await subscribe(socket, manager, query % selection, after=after)
                answer = json.loads(await socket.recv())
                assert [e["extensions"]["code"] for e in answer["payload"]["errors"]] == ["CURSOR_EXPIRED"]
                assert json.loads(await socket.recv()) == {"id": "1", "type": "complete"}
        async with api.follow(manager, query % selection, after="1-5") as follower:
            assert [event["payload"]["place"] for event in await follower.events(1)] == [5]


async def test_events_forgotten_under_one_who_catches_up_are_not_passed_over(api: Api, manager: str) -> None:
    async with transaction() as work:
        for place in range(600):
            work.emit(NAME, brand="acme", challenge_id=1, payload={"place": place})
    await until(lambda: api.hub.head == 600)
    selection = recognize_selection(parse_document("subscription { challengeEvents { position } }", 100), None, None)
    assert selection is not None
    member = Subscriber(
        SubscriberGroup(SubscriptionTerms.of(ADA, EventFilter()), selection), Flaky(random.Random(1)), b"", 0
    )
    async with connection(api.database_url) as conn:
        await conn.execute("update events set recorded_at = now() - interval '401 days' where position <= 550")
    await retention.delete_old_rows()
    api.hub._floor = api.hub.head  # noqa: SLF001 - so that it asks the database
    with pytest.raises(CursorExpired):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await api.hub.follow(member)
