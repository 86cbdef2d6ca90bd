"""The server around the application: parsing, headers of every response, addresses behind proxies."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from cli.server import config_of
from config.headers import SAFETY
from config.settings import Settings
from tests.api.clients import PATIENCE_SECONDS, Api, until

CHUNKED = b"Transfer-Encoding: chunked\r\n"
ENDING = b"\r\n0\r\n\r\n"
AMBIGUOUS = {  # requests whose end two servers may see in different places
    "a length and chunks": b"Content-Length: 5\r\n" + CHUNKED + ENDING,
    "chunks and a length": CHUNKED + b"Content-Length: 5\r\n" + ENDING,
    "a length and an identity": b"Content-Length: 5\r\nTransfer-Encoding: identity\r\n" + ENDING,
    "two lengths": b"Content-Length: 5\r\nContent-Length: 0\r\n" + ENDING,
    "the same length twice": b"Content-Length: 5\r\nContent-Length: 5\r\n" + ENDING,
    "a length that is a list": b"Content-Length: 5, 5\r\n" + ENDING,
    "a length with a sign": b"Content-Length: +5\r\n" + ENDING,
    "an encoding that is not known": b"Transfer-Encoding: xchunked\r\n" + ENDING,
    "chunks that are not the last encoding": b"Transfer-Encoding: chunked, identity\r\n" + ENDING,
    "a space before the colon": b"Transfer-Encoding : chunked\r\n" + ENDING,
    "a folded header": b"X: a\r\n b\r\nContent-Length: 5\r\n" + ENDING,
    "a bare carriage return": b"X: a\rTransfer-Encoding: chunked\r\n" + ENDING,
}


async def address(request: Request) -> Response:
    return PlainTextResponse(request.client.host if request.client else "")


@asynccontextmanager
async def serving(trusted_proxies: Sequence[str] = ()) -> AsyncIterator[int]:
    """Serve, configured like a desk, an application that returns its client's address; return the port."""
    app = Starlette(routes=[Route("/", address, methods=["GET", "POST"])])
    server = uvicorn.Server(config_of(app, Settings(trusted_proxies=tuple(trusted_proxies)), port=0, lifespan="off"))
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


async def raw(port: int, request: bytes) -> bytes:
    """Return all bytes until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(PATIENCE_SECONDS):
        answer = await reader.read()
    writer.close()
    return answer


async def test_a_request_that_may_end_in_two_places_is_refused_and_its_connection_closed() -> None:
    async with serving() as port:
        for case, rest in AMBIGUOUS.items():
            answer = await raw(
                port, b"POST / HTTP/1.1\r\nHost: desk\r\n" + rest + b"GET / HTTP/1.1\r\nHost: desk\r\n\r\n"
            )
            assert answer.startswith(b"HTTP/1.1 400 "), (case, answer)
            assert answer.count(b"HTTP/1.1 ") == 1, (case, answer)
            assert b"nosniff" in answer, case


async def test_every_answer_may_be_neither_framed_nor_guessed_at(api: Api) -> None:
    answers = [
        await api.http.request(method, path, headers={"Accept": accept})
        for method, path, accept in (
            ("GET", "/healthz", "*/*"),
            ("GET", "/readyz", "*/*"),
            ("GET", "/metrics", "*/*"),
            ("GET", "/nowhere", "*/*"),
            ("GET", "/graphql", "text/html"),
            ("GET", "/graphql?query={__typename}", "*/*"),
            ("POST", "/graphql", "*/*"),
            ("PUT", "/graphql", "*/*"),
            ("GET", "/graphiql/nowhere.js", "*/*"),
            ("GET", "/graphiql/index.html", "*/*"),
            ("OPTIONS", "/graphql", "*/*"),
        )
    ]
    for answer in answers:
        for name, value in SAFETY.items():
            assert answer.headers.get_list(name) == [value], (answer.request.url, answer.status_code)
    assert {answer.status_code for answer in answers} >= {200, 404, 405, 415}


@pytest.mark.parametrize(
    ("trusted", "forwarded", "seen"),
    [
        ((), "203.0.113.7", "127.0.0.1"),  # anybody may write the header
        (("10.0.0.0/8",), "203.0.113.7", "127.0.0.1"),  # the proxy is another
        (("127.0.0.1",), "203.0.113.7", "203.0.113.7"),
        (("127.0.0.0/8",), "198.51.100.1, 203.0.113.7", "203.0.113.7"),  # the first is what the client wrote
        (("127.0.0.0/8", "10.0.0.1"), "203.0.113.7, 10.0.0.1", "203.0.113.7"),
        (("127.0.0.1",), "", "127.0.0.1"),
    ],
)
async def test_a_forwarded_address_counts_behind_a_named_proxy_alone(
    trusted: tuple[str, ...], forwarded: str, seen: str
) -> None:
    async with serving(trusted) as port, httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/", headers={"X-Forwarded-For": forwarded})
    assert answer.text == seen
