"""The limits of bytes in flight, per bearer and per process, with clients that read and clients that do not."""

import asyncio
import json
import socket
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from app.request.bytes_in_flight import FIELD_BYTES, LARGEST_SHARE, AnswerReservation, BytesInFlight
from app.server.connections import HttpConnection
from app.server.websockets import UNREAD, WebsocketConnection
from schema.engine.errors import Busy, RateLimited
from services.telemetry import REGISTRY
from tests.api.clients import TRANSPORT, Api, send, until
from tests.api.streams import emit, subscribe
from tests.services.world import a_world, act

HEAVY = " ".join(f"l{number}: ledger(first: 100) {{ nodes {{ ...row }} }}" for number in range(30))
UPDATES = f"""subscription ($id: ID!) {{ accountUpdates(accountId: $id) {{ seq {HEAVY} }} }}
fragment row on LedgerEvent {{ id seq kind amount balanceAfter marketTime recordedAt hash facts }}"""
SUBSCRIPTIONS = 190
MEBIBYTE = 1 << 20


def _flight(api: Api) -> BytesInFlight:
    app: Any = api.server.config.app
    flight: BytesInFlight = app.state.flight
    return flight


def _refused(reason: str) -> float:
    return REGISTRY.get_sample_value("propdesk_answers_refused_total", {"reason": reason}) or 0.0


def _unread() -> float:
    return REGISTRY.get_sample_value("propdesk_connections_refused_total", {"reason": "unread"}) or 0.0


def test_a_bearer_may_have_so_much_and_never_more_than_the_process_has_left() -> None:
    flight = BytesInFlight(40, 100)
    assert flight.take("hog", 40)
    assert not flight.take("hog", 1), "as much as it may"
    assert flight.take("another", 30)
    assert not flight.take("another", 1), "as much as is left"
    assert flight.take("alice", 15)
    assert flight.bytes == flight.peak == 85
    flight.count("hog", -40)
    assert flight.take("alice", 20)
    assert (flight.of("hog"), flight.of("alice"), flight.peak) == (0, 35, 85)


async def test_those_that_wait_come_in_their_order_and_one_that_is_cancelled_holds_nobody_up() -> None:
    flight, order = BytesInFlight(40, 100), []

    async def work(name: str, size: int) -> None:
        await flight.wait("alice", size)
        order.append(name)

    flight.count("alice", 40)
    first, second, third = (asyncio.create_task(work(*one)) for one in (("first", 40), ("second", 10), ("third", 10)))
    await asyncio.sleep(0)
    flight.count("alice", -40)
    first.cancel()  # in the moment in which it has been counted
    await asyncio.gather(first, second, third, return_exceptions=True)
    assert (order, flight.of("alice")) == (["second", "third"], 20)


def test_a_reservation_is_counted_as_it_is_and_given_back_once() -> None:
    flight = BytesInFlight(4_000, 100_000)
    reservation = AnswerReservation(flight, "alice")
    reservation.take(10)
    assert flight.bytes == 10 * FIELD_BYTES
    reservation.become(700)
    assert flight.bytes == 700
    reservation.release()
    reservation.release()
    assert flight.bytes == 0
    reservation.take(1 << 30)
    assert flight.bytes == flight.bearer_max // LARGEST_SHARE, "what could never be given is given all the same"
    flight.count("alice", 3_000)
    with pytest.raises(RateLimited) as refused:
        AnswerReservation(flight, "alice").take(1)
    assert refused.value.extensions == {"code": "RATE_LIMITED", "retryAfter": 1.0}
    flight.count("hog", 96_500)
    with pytest.raises(Busy):
        AnswerReservation(flight, "bob").take(1_000)


async def test_an_operation_that_has_no_room_is_refused_before_it_is_executed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(api.database_url)
    await world.buy()
    manager, alice = await api.token("MANAGER", "acme"), await api.token("CLIENT", "acme", "alice")
    query, flight = "{ challenges { nodes { id } } }", _flight(api)
    before = [_refused(reason) for reason in ("bearer", "process")]
    bearer: list[Any] = []
    take = flight.take

    def noted(whose: Any, size: int) -> bool:
        bearer.append(whose)
        return take(whose, size)

    monkeypatch.setattr(flight, "take", noted)
    await api.ask(query, manager)
    assert flight.bytes == 0, "all of it has been taken"
    flight.count(bearer[0], flight.bearer_max)
    for text in (query, f"query Anew {query}"):  # answered before, and not
        [error] = (await api.answer(text, manager))["errors"]
        assert error["extensions"] == {"code": "RATE_LIMITED", "retryAfter": 1.0}
    headers = {"Authorization": f"Bearer {manager}", "Accept": "application/graphql-response+json"}
    response = await api.http.post("/graphql", json={"query": query}, headers=headers)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "1")
    async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as client:
        await send(client, type="connection_init", payload={"authorization": f"Bearer {manager}"})
        await client.recv()
        await send(client, type="subscribe", id="1", payload={"query": query})
        message = json.loads(await client.recv())
        assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "RATE_LIMITED")
    assert await api.ask("{ me { role } }", alice) == {"me": {"role": "CLIENT"}}
    flight.count("others", flight.process_max - flight.bytes)
    assert await api.code("{ me { role } }", alice) == "BUSY"
    after = [_refused(reason) for reason in ("bearer", "process")]
    assert [many - few for many, few in zip(after, before, strict=True)] == [4, 1]
    metrics = (await api.http.get("/metrics")).text
    assert float(metrics.split("\npropdesk_flight_bytes ")[1].split()[0]) == flight.process_max


async def _heavy_account(api: Api) -> int:
    world = await a_world(api.database_url)
    _, account = await world.buy()
    for number in range(12):
        await act(account, "OPEN", action_id=f"o{number}", quantity="1000")
        await act(account, "CLOSE", action_id=f"c{number}")
    return account


async def test_heavy_subscriptions_that_nobody_reads_stay_within_the_bound_and_are_closed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.shares, "wait", lambda *_: 0.0)
    account, flight = await _heavy_account(api), _flight(api)
    monkeypatch.setattr(flight, "bearer_max", 8 * MEBIBYTE)
    manager, alice = await api.token("MANAGER", "acme"), await api.token("CLIENT", "acme", "alice")
    async with api.follow(
        alice, "subscription ($id: ID!) { accountUpdates(accountId: $id) { seq } }", id=str(account)
    ) as other:
        before = (await other.next())["accountUpdates"]["seq"]
        sockets = [connect(api.websocket_url, subprotocols=[TRANSPORT], max_size=None, max_queue=1) for _ in range(2)]
        clients = [await socket for socket in sockets]
        for client in clients:
            await send(client, type="connection_init", payload={"authorization": f"Bearer {manager}"})
            await client.recv()
            for number in range(SUBSCRIPTIONS // 2):
                payload = {"query": UPDATES, "variables": {"id": str(account)}}
                await send(client, type="subscribe", id=str(number), payload=payload)
        await until(lambda: flight.peak > 6 * MEBIBYTE)
        await act(account, "OPEN", action_id="more", quantity="1000")
        assert (await other.next())["accountUpdates"]["seq"] > before, "who reads is told"
        await until(lambda: flight.bytes == 0)
        assert flight.peak <= 8 * MEBIBYTE + 100 * FIELD_BYTES
        for client in clients:
            with suppress(ConnectionClosed):
                async for _ in client:
                    pass
            assert client.close_code == UNREAD


async def test_who_does_not_read_a_long_answer_loses_its_connection(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HttpConnection, "unread_seconds_max", 0.3)
    before = _unread()
    account, flight = await _heavy_account(api), _flight(api)
    manager = await api.token("MANAGER", "acme")
    query = UPDATES.replace("subscription", "query").replace("accountUpdates(accountId:", "account(id:")
    body = json.dumps({"query": query, "variables": {"id": str(account)}}).encode()
    request = (
        f"POST /graphql HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer {manager}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    port = int(api.websocket_url.split(":")[2].split("/")[0])
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, request * 20)
        await until(lambda: _unread() == before + 1)
        await until(lambda: flight.bytes == 0)


async def test_a_tick_of_a_bearer_without_room_waits_and_is_the_newest_then(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(api.database_url)
    _, account = await world.buy()
    alice, flight = await api.token("CLIENT", "acme", "alice"), _flight(api)
    bearers: list[Any] = []
    wait = flight.wait

    async def noted(whose: Any, size: int) -> None:
        bearers.append(whose)
        await wait(whose, size)

    monkeypatch.setattr(flight, "wait", noted)
    text = "subscription ($id: ID!) { accountUpdates(accountId: $id) { seq } }"
    async with api.follow(alice, text, id=str(account)) as follower:
        await follower.next()
        flight.count(bearers[0], flight.bearer_max)
        for number in range(3):
            await act(account, "OPEN", action_id=f"a{number}", quantity="1000")
        await until(lambda: len(bearers) > 1)
        newest = (
            await api.ask(
                "query ($id: ID!) { account(id: $id) { seq } }", await api.token("MANAGER", "acme"), id=str(account)
            )
        )["account"]["seq"]
        flight.count(bearers[0], -flight.bearer_max)
        assert (await follower.next())["accountUpdates"]["seq"] == newest


async def test_events_that_are_not_read_are_counted_and_others_get_theirs(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(api.database_url)
    challenge, _ = await world.buy()
    manager, alice = await api.token("MANAGER", "acme"), await api.token("CLIENT", "acme", "alice")
    flight, text = _flight(api), "subscription { challengeEvents { cursor payload } }"
    flight.bearer_max = 1 << 20
    monkeypatch.setattr(WebsocketConnection, "unread_seconds_max", 2.0)
    async with api.follow(alice, text) as reader:
        unread = [
            await connect(api.websocket_url, subprotocols=[TRANSPORT], max_size=None, max_queue=1) for _ in range(4)
        ]
        for client in unread:
            await subscribe(client, manager, text)
        await until(lambda: api.hub.subscribers == 5)
        for _ in range(60):
            await emit(challenge, *({"text": "x" * 10_000} for _ in range(20)))
        assert len(await reader.events(1_200)) == 1_200
        await until(lambda: flight.peak > 0)
        assert flight.peak <= flight.bearer_max + (256 << 10), "and one write"
        await until(lambda: flight.bytes == 0)
        for client in unread:
            client.transport.abort()  # a closing handshake would first read what is unread
