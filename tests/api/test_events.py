"""Subscriptions to events: complete, once each and in order, through failures and with slow subscribers."""

import asyncio
import itertools
import json
import random
from collections.abc import Iterable
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from app.server.websockets import UNREAD
from config.database import connection
from models import events, sql
from models.events import NewEvent
from services import brands
from services.unit_of_work.openings import transaction
from tests.api.clients import PATIENCE_SECONDS, TRANSPORT, Api, Follower, send, until
from tests.api.streams import NAME, emit, subscribe
from tests.services.world import ADMIN, START, a_world, value

EVENTS = """subscription ($after: String, $filter: ChallengeEventFilter) {
  challengeEvents(after: $after, filter: $filter) { cursor position number name challengeId payload } }"""


async def _writers(writers: Iterable[int], count: int) -> None:
    """Several writers commit events of their own challenges concurrently, some long after the insert."""
    inserted, chance = itertools.count(), random.Random(5)

    async def write(challenge: int) -> None:
        for number in range(count):
            async with transaction() as work:
                work.emit(NAME, brand="acme", challenge_id=challenge, payload={"place": number, "at": next(inserted)})
                await work.flush()
                for _ in range(chance.randrange(40)):
                    await asyncio.sleep(0)

    await asyncio.gather(*(write(challenge) for challenge in writers))


@pytest.fixture
async def manager(api: Api) -> str:
    """Return the token of a brand without challenges; the events belong to invented ones."""
    for brand in ("acme", "other"):
        await brands.save_brand(ADMIN, name=brand, title=brand)
    return await api.token("MANAGER", "acme")


async def test_after_a_reconnect_everything_missed_comes_first_and_nothing_twice(api: Api, manager: str) -> None:
    writing = asyncio.create_task(_writers(range(1, 7), 40))
    found: list[dict[str, Any]] = []
    while len(found) < 6 * 40:
        after = found[-1]["cursor"] if found else "0"
        async with api.follow(manager, EVENTS, after=after) as follower:
            found += await follower.events(min(7 + len(found), 240 - len(found)))
    await writing
    assert [event["position"] for event in found] == list(range(1, 241))
    for challenge in range(1, 7):
        own = [event for event in found if event["challengeId"] == str(challenge)]
        assert [(event["number"], event["payload"]["place"]) for event in own] == [(n + 1, n) for n in range(40)]
    inserted = [event["payload"]["at"] for event in found]
    assert inserted != sorted(inserted), "some were committed late"


async def test_a_late_commit_is_not_skipped(api: Api, manager: str) -> None:
    async with api.follow(manager, EVENTS, after="0") as follower, connection(api.database_url) as conn:
        async with conn.transaction():
            await sql.write(conn, *events.outbox_part([NewEvent("acme", 1, NAME, {"from": "early"}, START)]))
            await emit(2, {"from": "late"})
            (first,) = await follower.events(1)
        (second,) = await follower.events(1)
    assert [first["payload"]["from"], second["payload"]["from"]] == ["late", "early"]
    assert [first["position"], second["position"]] == [1, 2]


async def test_what_the_ring_no_longer_holds_comes_from_the_database(
    api: Api, manager: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await emit(1, *({"place": number} for number in range(1_200)))
    async with api.follow(manager, EVENTS, after="0") as follower:
        await follower.events(1_200)
    monkeypatch.setattr(api.hub, "_ring_size", 10)
    await emit(1, {"place": 1_200})
    async with api.follow(manager, EVENTS, after="1-1199") as follower:
        await follower.events(2)
        assert api.hub._floor > 1_000  # noqa: SLF001 - else this tests nothing
    async with api.follow(manager, EVENTS, after="0") as follower:
        found = await follower.events(1_201)
        await emit(1, {"place": 1_201})
        found += await follower.events(1)
    assert [event["payload"]["place"] for event in found] == list(range(1_202))


async def test_without_a_cursor_it_begins_now(api: Api, manager: str) -> None:
    await emit(1, {"when": "before"})
    async with api.follow(manager, EVENTS, after="0") as sure:
        await sure.events(1)
        async with api.follow(manager, EVENTS) as follower:
            await until(lambda: api.hub.subscribers == 2)
            await emit(1, {"when": "after"})
            assert [event["payload"] for event in await follower.events(1)] == [{"when": "after"}]


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [1, 2, 1, 3]),
    ({"challengeIds": ["1"]}, [1, 1]),
    ({"challengeIds": ["2", "3", "none"]}, [2, 3]),
    ({"names": [NAME], "challengeIds": ["3"]}, [3]),
]


@pytest.mark.parametrize(("narrowed", "expected"), FILTERS)
@pytest.mark.parametrize("missed", [True, False], ids=["missed", "live"])
async def test_a_filter_lets_through_what_it_names(
    api: Api, manager: str, narrowed: dict[str, Any], expected: list[int], *, missed: bool
) -> None:
    if missed:
        await _emit_all()
        await until(lambda: api.hub.head == 4)
        api.hub._floor = api.hub.head  # noqa: SLF001 - so that it asks the database
    async with api.follow(manager, EVENTS, after="0", filter=narrowed) as follower:
        if not missed:
            await _emit_all()
        found = [int(event["challengeId"]) for event in await follower.events(len(expected))]
    assert found == expected


async def _emit_all() -> None:
    for challenge in (1, 2, 1, 3):
        await emit(challenge, {})


async def test_events_of_another_brand_do_not_come(api: Api, manager: str) -> None:
    stranger = await api.token("MANAGER", "other")
    async with api.follow(manager, EVENTS, after="0") as ours, api.follow(stranger, EVENTS, after="0") as theirs:
        await emit(1, {}, brand="acme")
        await emit(2, {}, brand="other")
        await emit(3, {}, brand="acme")
        assert [event["challengeId"] for event in await ours.events(2)] == ["1", "3"]
        assert [event["challengeId"] for event in await theirs.events(1)] == ["2"]


async def test_a_client_gets_its_own_and_a_trader_its_scope(api: Api) -> None:
    world = await a_world(api.database_url)
    challenge, _ = await world.buy()
    bob, trader, narrow = await api.token("CLIENT", "acme", "bob"), *[await api.token("TRADER", "acme") for _ in "ab"]
    await value(
        "update tokens set scope = '{\"challenges\": [999]}' where id = (select max(id) from tokens) returning id"
    )
    alice = await api.token("CLIENT", "acme", "alice")
    async with (
        api.follow(alice, EVENTS, after="0") as hers,
        api.follow(trader, EVENTS, after="0") as all_of_brand,
        api.follow(bob, EVENTS, after="0", filter={}) as his,
        api.follow(narrow, EVENTS, after="0") as nothing,
    ):
        assert {event["challengeId"] for event in await hers.events(4)} == {str(challenge)}
        (event,) = await all_of_brand.events(1)
        assert event["name"] == "prop.challenge.started", "of its sale a trader is told nothing"
        for follower in (his, nothing):  # what came to the others has not come here
            assert await _is_silent(follower)


async def _is_silent(follower: Follower) -> bool:
    """Return whether no event arrives before the answer to a ping."""
    await send(follower.socket, type="ping")
    answer: dict[str, str] = json.loads(await follower.socket.recv())
    return answer == {"type": "pong"}


async def _listeners(api: Api, *, end: bool = False) -> int:
    """Return the number of connections that listen for events; with `end`, terminate them."""
    what = "pg_terminate_backend(pid)" if end else "pid"
    name = "application_name = 'propdesk-listener' and datname = current_database()"
    async with connection(api.database_url) as conn:
        count: int = await conn.fetchval(f"select count({what}) from pg_stat_activity where {name}")
    return count


async def test_a_lost_listener_comes_back(api: Api, manager: str) -> None:
    async with api.follow(manager, EVENTS, after="0") as follower, api.follow(manager, EVENTS):
        await until(lambda: api.hub.subscribers == 2)
        assert await _listeners(api, end=True) == 1, "one for the process, however many follow"
        await emit(1, {"place": 1})
        assert len(await follower.events(1)) == 1
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await _listeners(api):
                await asyncio.sleep(0.01)
        await emit(1, {"place": 2})
        assert len(await follower.events(1)) == 1


async def test_one_who_does_not_read_is_closed_with_its_own_code_and_the_others_notice_nothing(
    api: Api, manager: str
) -> None:
    payload, rounds = {"text": "x" * 400_000}, 80  # more than the buffers of both ends hold
    async with connect(api.websocket_url, subprotocols=[TRANSPORT], max_queue=1, compression=None) as slow:
        await subscribe(slow, manager, EVENTS, after="0")
        slow.transport.pause_reading()
        async with api.follow(manager, EVENTS, after="0") as follower:
            for number in range(rounds):
                await emit(1, {"place": number, **payload})
                assert (await follower.events(1))[0]["payload"]["place"] == number
            await until(lambda: api.hub.subscribers == 1)
            await emit(1, {"place": rounds})
            assert (await follower.events(1))[0]["payload"]["place"] == rounds
        slow.transport.resume_reading()
        assert await _close_code(slow) == UNREAD


async def _close_code(socket: ClientConnection) -> int | None:
    """Return the websocket's close code, after its remaining messages."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                await socket.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


async def test_a_server_that_stops_tells_its_subscribers_to_come_back(api: Api, manager: str) -> None:
    async with api.follow(manager, EVENTS) as follower:
        await until(lambda: api.hub.subscribers == 1)
        api.server.should_exit = True
        assert await _close_code(follower.socket) == 1012
    await until(lambda: api.hub.subscribers == 0)


async def test_a_websocket_needs_a_token(api: Api) -> None:
    for payload in ({}, {"authorization": "Bearer nothing"}, {"authorization": 7}):
        async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket:
            await send(socket, type="connection_init", payload=payload)
            assert await _close_code(socket) == 4403, payload


async def test_a_websocket_may_bring_its_token_in_a_header(api: Api, manager: str) -> None:
    headers = {"Authorization": f"Bearer {manager}"}
    async with connect(api.websocket_url, subprotocols=[TRANSPORT], additional_headers=headers) as socket:
        await send(socket, type="connection_init")
        assert json.loads(await socket.recv())["type"] == "connection_ack"


async def test_other_protocols_are_refused(api: Api) -> None:
    for protocol in ("graphql-ws", "nonsense"):
        async with connect(api.websocket_url, subprotocols=[Subprotocol(protocol)]) as socket:
            assert await _close_code(socket) == 4406, protocol


FRAMES: list[str | bytes] = [
    *("", "{", "[]", "7", "null", "{}", b"{}", "[" * 10_000),
    *('{"type": 7}', '{"type": "nonsense"}', '{"type": "subscribe"}', '{"type": "complete", "id": {}}'),
    '{"type": "subscribe", "id": 1, "payload": {"query": "{ me { role } }"}}',
    '{"type": "subscribe", "id": "1", "payload": []}',
    '{"type": "subscribe", "id": "1", "payload": {"query": "{"}}',
]


async def test_a_frame_that_is_no_message_closes_the_socket(
    api: Api, manager: str, caplog: pytest.LogCaptureFixture
) -> None:
    for frame in FRAMES:
        async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket:
            await send(socket, type="connection_init", payload={"authorization": f"Bearer {manager}"})
            assert json.loads(await socket.recv())["type"] == "connection_ack"
            await socket.send(frame)
            assert await _close_code(socket) == 4400, frame
    assert not [record for record in caplog.records if record.exc_info]


INIT, LIVE = (
    '{"type": "connection_init", "payload": {"authorization": "Bearer %s"}}',
    ('{"type": "subscribe", "id": "1", "payload": {"query": "subscription { challengeEvents { name } }"}}'),
)
OUT_OF_TURN = {4401: [LIVE], 4429: [INIT, INIT], 4409: [INIT, LIVE, LIVE], 4408: []}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.endpoint.INIT_SECONDS_MAX", 0.2)


async def test_a_message_out_of_turn_or_none_at_all_closes_the_socket_with_its_own_code(
    impatient: None, api: Api, manager: str, caplog: pytest.LogCaptureFixture
) -> None:
    for code, messages in OUT_OF_TURN.items():
        async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket:
            for message in messages:
                await socket.send(message.replace("%s", manager))
            assert await _close_code(socket) == code, messages
    assert not [record for record in caplog.records if record.exc_info]


async def test_what_is_no_cursor_of_the_stream_is_refused(api: Api, manager: str) -> None:
    for after in ("x", "-1", "1.5", "99999999999999999999", "\u0661"):
        async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket:
            await subscribe(socket, manager, EVENTS, after=after)
            answer = json.loads(await socket.recv())
            (error,) = answer["payload"] if answer["type"] == "error" else answer["payload"]["errors"]
            assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_queries_and_mutations_go_over_the_websocket_too(api: Api, manager: str) -> None:
    async with api.follow(manager, "{ me { role brand } }") as follower:
        assert await follower.next() == {"me": {"role": "MANAGER", "brand": "acme"}}


@pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
async def test_the_token_may_come_in_connection_init_under_any_capitals(api: Api, name: str) -> None:
    token = await api.token("ADMIN")
    async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket, asyncio.timeout(30):
        await send(socket, type="connection_init", payload={name: f"Bearer {token}"})
        assert json.loads(await socket.recv())["type"] == "connection_ack"
