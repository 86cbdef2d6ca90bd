"""The limits of connections: slow, idle and surplus ones are closed or refused, authenticated ones go on."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from app.live.websocket_protocol import ID_CHARACTERS_MAX, OPERATIONS_MAX
from app.live.websocket_sessions import CROWDED
from app.main import create_app
from app.server.connections import HEAD_BYTES_MAX
from cli.processes import require_tls
from cli.server import server_of
from config.errors import Problem
from config.settings import Settings
from services import tokens
from services.principals import Role
from services.telemetry import CONNECTIONS_REFUSED
from tests.api.clients import TRANSPORT, send, until

LIMITS = {"connections_max": 12, "strangers_address_max": 4, "sockets_bearer_max": 2, "head_seconds_max": 0.3}
GET = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"


def refused(reason: str) -> float:
    """Return the number of connections refused for the reason."""
    found = [
        sample.value
        for metric in CONNECTIONS_REFUSED.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.labels["reason"] == reason
    ]
    return sum(found)


@pytest.fixture
async def port(empty_database: str) -> AsyncIterator[int]:
    """Serve with small limits, configured like `propdesk serve`, and return the port."""
    settings = Settings(database_url=empty_database).replace(**LIMITS)
    server = server_of(create_app(settings), settings, port=0, lifespan="on")
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started or serving.done())
    if serving.done():
        await serving
    found: int = server.servers[0].sockets[0].getsockname()[1]
    yield found
    server.should_exit = True
    await serving


@asynccontextmanager
async def connected(port: int, *parts: bytes) -> AsyncIterator[asyncio.StreamReader]:
    """Open a connection and send the parts."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        yield reader
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> bytes:
    """Return the status line of the response before the server closes the connection."""
    async with asyncio.timeout(10):
        return (await reader.read()).split(b"\r\n")[0]


async def closed(socket: ClientConnection) -> int | None:
    """Read until the server closes the websocket; return the code."""
    async with asyncio.timeout(10):
        with suppress(ConnectionClosedError):
            async for _ in socket:
                pass
    return socket.close_code


@pytest.mark.parametrize("sent", [b"", b"GET ", GET, GET + b"X-Slow: 1\r\n"])
async def test_a_head_that_does_not_come_in_time_is_not_waited_for(port: int, sent: bytes) -> None:
    before = refused("head time")
    async with connected(port, sent) as reader:
        assert await answer(reader) == b"HTTP/1.1 408 Request Timeout"
    assert refused("head time") == before + 1


async def test_a_head_without_end_is_refused(port: int) -> None:
    async with connected(port, GET, b"X-Long: " + b"a" * 1000 + b"\r\n", b"X-More: " + b"b" * HEAD_BYTES_MAX) as reader:
        await asyncio.sleep(0)
        assert (await answer(reader)).split()[1] in (b"431", b"400", b"408")
    async with connected(port, GET, b"".join(b"X-%d: %b\r\n" % (n, b"c" * 400) for n in range(100)), b"\r\n") as reader:
        assert await answer(reader) == b"HTTP/1.1 431 Request Header Fields Too Large"


async def test_an_address_has_few_connections_until_it_shows_a_token(port: int) -> None:
    token = await tokens.create_token(role=Role.ADMIN, brand=None, name="root", subject=None)
    init = {"authorization": f"Bearer {token}"}
    url = f"ws://127.0.0.1:{port}/graphql"
    async with connect(url, subprotocols=[TRANSPORT]) as first, connect(url, subprotocols=[TRANSPORT]) as second:
        for known in (first, second):
            await send(known, type="connection_init", payload=init)
            assert json.loads(await known.recv())["type"] == "connection_ack"
        readers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
        before = refused("address")
        async with connected(port, GET + b"\r\n") as fifth:
            assert await answer(fifth) == b"HTTP/1.1 503 Service Unavailable"
        assert refused("address") == before + 1
        for _, writer in readers:
            writer.close()
        await (await first.ping())


async def test_a_token_has_so_many_websockets_and_no_more(port: int) -> None:
    token = await tokens.create_token(role=Role.ADMIN, brand=None, name="root", subject=None)
    url = f"ws://127.0.0.1:{port}/graphql"
    async with connect(url, subprotocols=[TRANSPORT]) as one, connect(url, subprotocols=[TRANSPORT]) as two:
        for socket in (one, two):
            await send(socket, type="connection_init", payload={"authorization": f"Bearer {token}"})
            assert json.loads(await socket.recv())["type"] == "connection_ack"
        async with connect(url, subprotocols=[TRANSPORT]) as third:
            await send(third, type="connection_init", payload={"authorization": f"Bearer {token}"})
            assert await closed(third) == CROWDED
        await two.close()
        async with connect(url, subprotocols=[TRANSPORT]) as again:
            await send(again, type="connection_init", payload={"authorization": f"Bearer {token}"})
            assert json.loads(await again.recv())["type"] == "connection_ack"


async def test_a_websocket_has_so_many_operations_with_short_names(port: int) -> None:
    token = await tokens.create_token(role=Role.ADMIN, brand=None, name="root", subject=None)
    async with connect(f"ws://127.0.0.1:{port}/graphql", subprotocols=[TRANSPORT]) as socket:
        await send(socket, type="connection_init", payload={"authorization": f"Bearer {token}"})
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        query = {"query": "subscription { challengeEvents { cursor } }"}
        for number in range(OPERATIONS_MAX + 1):
            await send(socket, type="subscribe", id=f"{number}", payload=query)
        message = json.loads(await socket.recv())
        assert (message["id"], message["type"]) == (str(OPERATIONS_MAX), "error")
        assert message["payload"][0]["extensions"]["code"] == "BUSY"
        await send(socket, type="subscribe", id="i" * (ID_CHARACTERS_MAX + 1), payload=query)
        assert await closed(socket) == 4400


def test_production_does_not_take_tokens_in_clear_from_a_network() -> None:
    open_to_all = Settings().replace(environment="production", host="0.0.0.0")
    with pytest.raises(Problem, match="PROPDESK_TLS_TERMINATED"):
        require_tls(open_to_all)
    for settings in (
        open_to_all.replace(tls_terminated=True),
        open_to_all.replace(environment="development"),
        open_to_all.replace(host="127.0.0.1"),
        open_to_all.replace(host="::1"),
        open_to_all.replace(host="localhost"),
    ):
        require_tls(settings)
