"""Clients that do not read: their unsent bytes are limited, and they delay no other client."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from websockets.asyncio.client import connect

from app.live import websocket_sessions
from app.live.websocket_sessions import ENDED, WebsocketSessions
from app.server.websockets import ANONYMOUS_BUFFER_BYTES, BUFFER_BYTES, WebsocketConnection
from services import tokens
from services.principals import Principal, Role
from tests.api.clients import TRANSPORT, Api, send, until
from tests.services.world import ADMIN, a_world

PING = b"\x89\xfd" + b"\x00" * 4 + b"p" * 125  # masked with zeros, as a client's frames are masked
HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
SYSTEM_BYTES = 8 << 20  # what the two ends' kernels may hold between them


@contextmanager
def a_raw_socket(api: Api) -> Iterator[socket.socket]:
    """Open a websocket and read nothing after the handshake."""
    port = int(api.websocket_url.split(":")[2].split("/")[0])
    with socket.create_connection(("127.0.0.1", port)) as one:
        one.setblocking(False)
        yield one


async def _handshake(one: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(one, HANDSHAKE)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += await loop.sock_recv(one, 1)


def _served(api: Api) -> list[WebsocketConnection]:
    return [one for one in api.server.server_state.connections if isinstance(one, WebsocketConnection)]


def _is_known(served: WebsocketConnection) -> bool:
    limits: tuple[int, int] = served.transport.get_write_buffer_limits()
    return limits[1] == BUFFER_BYTES


async def test_pongs_that_nobody_reads_are_not_kept_and_the_client_is_let_go(api: Api) -> None:
    with a_raw_socket(api) as one:
        await _handshake(one)
        await until(lambda: len(_served(api)) == 1)
        [served] = _served(api)
        sent, most, loop = 0, 0, asyncio.get_running_loop()
        with suppress(TimeoutError, OSError):  # the server reads no more, or has closed
            while sent < 4 * SYSTEM_BYTES:
                async with asyncio.timeout(5):
                    await loop.sock_sendall(one, PING * 100)
                sent += 100 * len(PING)
                most = max(most, served.transport.get_write_buffer_size())
        assert sent < 4 * SYSTEM_BYTES
        assert most <= ANONYMOUS_BUFFER_BYTES + (256 << 10), "one reading's pongs and the buffer of a stranger"
        await until(lambda: served.disconnected or served.close_sent)


async def test_pings_of_a_client_that_reads_are_all_answered(api: Api) -> None:
    async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as client:
        for number in range(50):
            async with asyncio.timeout(10):
                await (await client.ping(str(number)))


async def test_a_client_that_says_who_it_is_has_a_larger_buffer(api: Api) -> None:
    await a_world(api.database_url)
    token = await api.token("MANAGER", "acme")
    async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as client:
        await until(lambda: len(_served(api)) == 1)
        [served] = _served(api)
        assert not _is_known(served)
        await send(client, type="connection_init", payload={"authorization": f"Bearer {token}"})
        assert json.loads(await client.recv())["type"] == "connection_ack"
        await until(lambda: _is_known(served))


class Session:
    """A session whose end does what the test sets."""

    def __init__(self, *, fault: Exception | None = None, hangs: bool = False) -> None:
        self.fault, self.hangs = fault, hangs
        self.code = 0

    async def end(self, code: int, reason: str) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.fault:
            raise self.fault
        self.code = code


async def test_a_session_that_cannot_be_ended_keeps_nobody_else_open(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket_sessions, "CHECK_SECONDS", 0)
    monkeypatch.setattr(websocket_sessions, "CLOSE_SECONDS", 0.05)
    text = await tokens.create_token(role=Role.ADMIN, brand=None, name="root", subject=None)
    bearer = await tokens.authenticate(text)
    assert bearer is not None
    watched = WebsocketSessions(100)
    several = [Session(hangs=True), Session(fault=RuntimeError("gone")), *(Session(hangs=True) for _ in range(20))]
    for session in several:
        watched.opened(bearer, session)
    last, another = Session(), Session()
    watched.opened(bearer, last)
    running = asyncio.create_task(watched.run())
    await tokens.revoke_token(ADMIN, bearer.token_id)
    await until(lambda: last.code == ENDED)
    watched.opened(Principal(bearer.token_id, "root", Role.ADMIN), another)
    await until(lambda: another.code == ENDED)
    running.cancel()


async def test_a_revoked_token_loses_its_websockets_though_one_of_them_does_not_read(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_world(api.database_url)
    token = await api.token("MANAGER", "acme")
    async with connect(api.websocket_url, subprotocols=[TRANSPORT], max_queue=None) as client:
        await send(client, type="connection_init", payload={"authorization": f"Bearer {token}"})
        assert json.loads(await client.recv())["type"] == "connection_ack"
        with a_raw_socket(api) as stalled:
            await _handshake(stalled)
            loop = asyncio.get_running_loop()
            init = json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}).encode()
            await loop.sock_sendall(stalled, b"\x81\xfe" + len(init).to_bytes(2) + b"\x00" * 4 + init)
            await until(lambda: sum(_is_known(one) for one in _served(api)) == 2)
            [unread] = [one for one in _served(api) if one.client and one.client[1] == stalled.getsockname()[1]]
            unread.writable.clear()  # as while its buffer is full
            bearer = await tokens.authenticate(token)
            assert bearer is not None
            await tokens.revoke_token(ADMIN, bearer.token_id)
            async with asyncio.timeout(10):
                await client.wait_closed()
            assert client.close_code == ENDED
            await until(lambda: unread.close_sent)
