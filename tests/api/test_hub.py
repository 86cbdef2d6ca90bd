"""The hub keeps serving after gaps in its ring and after faults of single subscribers."""

import asyncio
import json

import asyncpg
import pytest

from app.live.fan_out import Subscriber, SubscriberGroup
from app.live.hub import Hub
from app.live.rendering import recognize_selection
from schema.engine.document_limits import parse_document
from services import brands, events
from services.principals import Principal, Role
from services.views import events as views
from services.views.events import Event, EventFilter, SubscriptionTerms
from tests.api.clients import Api, until
from tests.api.sockets import Willing
from tests.api.streams import a_supervisor, emit
from tests.services.world import ADMIN, another_process

STREAM = 'subscription { challengeEvents(after: "1-1") { cursor } }'
ADA = Principal(1, "ada", Role.ADMIN)


async def _up_to_date(hub: Hub, tasks: asyncio.TaskGroup, *sockets: Willing) -> list[asyncio.Task[None]]:
    """Let each socket follow every event; return once all are live in the fan-out."""
    selection = recognize_selection(parse_document("subscription { challengeEvents { position } }", 100), None, None)
    assert selection is not None
    members = [
        Subscriber(SubscriberGroup(SubscriptionTerms.of(ADA, EventFilter()), selection), socket, b"", hub.head)
        for socket in sockets
    ]
    following = [tasks.create_task(hub.follow(member)) for member in members]
    await until(lambda: all(member.is_live for member in members))
    return following


async def test_a_batch_of_more_challenges_than_the_ring_holds_reaches_everybody(database: str) -> None:
    await brands.save_brand(ADMIN, name="acme", title="acme")
    hub, socket = Hub(database, ring_size=1), Willing()
    await hub.begin()
    async with asyncio.TaskGroup() as tasks:
        following = await _up_to_date(hub, tasks, socket)
        for challenge in range(1, 7):
            await emit(challenge, {})
        assert await events.stamp() == 6
        running = tasks.create_task(hub.run(a_supervisor()))
        await until(lambda: len(socket.positions) == 6)
        for task in (running, *following):
            task.cancel()
    assert socket.positions == [1, 2, 3, 4, 5, 6]


class Broken(Willing):
    """A socket that raises an exception."""

    def deliver(self, frames: bytes) -> bool:
        raise RuntimeError("this socket is broken")


async def test_a_subscriber_that_fails_ends_alone(database: str) -> None:
    await brands.save_brand(ADMIN, name="acme", title="acme")
    hub, before, broken, after = Hub(database), Willing(), Broken(), Willing()
    await hub.begin()
    async with asyncio.TaskGroup() as tasks:
        following = await _up_to_date(hub, tasks, before, after)
        theirs = asyncio.TaskGroup()
        with pytest.RaisesGroup(RuntimeError):
            async with theirs:
                await _up_to_date(hub, theirs, broken)
                running = tasks.create_task(hub.run(a_supervisor()))
                await emit(1, {}, {})
                await events.stamp()
        await emit(1, {})
        await events.stamp()
        await until(lambda: len(before.positions) == len(after.positions) == 3)
        assert hub.subscribers == 2
        for task in (running, *following):
            task.cancel()
    assert before.positions == after.positions == [1, 2, 3]


async def test_a_rare_event_is_looked_for_one_stretch_of_the_stream_at_a_time(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await brands.save_brand(ADMIN, name="acme", title="acme")
    await emit(1, *[{}] * 8)
    await emit(2, {})
    await events.stamp()
    hub, stretches, between = Hub(database), [], views.events_between

    async def noted(terms: SubscriptionTerms, after: int, through: int, most: int) -> list[Event]:
        stretches.append((after, through))
        return await between(terms, after, through, most)

    monkeypatch.setattr(views, "events_between", noted)
    monkeypatch.setattr("app.live.hub.LOOKED_MAX", 4)
    await hub.begin()
    found = await anext(aiter(hub.subscribe(ADA, EventFilter(challenges=frozenset({2})), views.BEGINNING)))
    assert found.position == 9
    assert stretches == [(0, 4), (4, 8), (8, 9)]


async def test_an_event_that_cannot_be_read_does_not_hold_up_those_behind_it(database: str) -> None:
    await brands.save_brand(ADMIN, name="acme", title="acme")
    hub, socket = Hub(database), Willing()
    await hub.begin()
    async with asyncio.TaskGroup() as tasks:
        following = await _up_to_date(hub, tasks, socket)
        await emit(1, {}, {})
        async with another_process(database) as other:
            await other.execute("update outbox set payload = '{\"n\": 1e5000}' where id = (select min(id) from outbox)")
        await events.stamp()
        running = tasks.create_task(hub.run(a_supervisor()))
        await until(lambda: len(socket.positions) == 2)
        for task in (running, *following):
            task.cancel()
    assert socket.positions == [1, 2]


async def test_a_statement_that_fails_by_itself_is_not_tried_again_and_its_subscriber_is_told(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await brands.save_brand(ADMIN, name="acme", title="acme")
    tried = 0

    async def between(*_given: object) -> list[Event]:
        nonlocal tried
        tried += 1
        raise asyncpg.DataError("no such text")

    await emit(1, {}, {})
    await until(lambda: api.hub.head == 2)
    api.hub._floor = api.hub.head  # noqa: SLF001 - as if the ring had forgotten them
    monkeypatch.setattr("services.views.events.events_between", between)
    async with api.follow(await api.token(Role.ADMIN), STREAM) as follower:
        message = json.loads(await follower.socket.recv())
    assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "INTERNAL")
    assert tried == 1
