"""The cost of a page over HTTP: the API as `propdesk serve` runs it, compared with a hand-written endpoint.

Both are routes of one server process. The hand-written endpoint reads one statement, builds the same JSON and looks at
no token, no limit and no document. One client process keeps its connections open and has one request on each of them.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median, quantiles

from config.database import close_database, open_database
from services import tokens
from services.principals import Role
from tools.bench.harness import Figure, Server
from tools.bench.pages import CHALLENGES, PAGE
from tools.bench.serving import BRAND

CONNECTIONS = (1, 16)
TARGETS = {1: 0.4, 16: 0.4}  # of the hand-written endpoint's answers a second
WARM = 0.2  # of a stretch's answers, which come before it and do not count
HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length: "


@dataclass(slots=True)
class Stretch:
    """Answers of one endpoint: seconds for each of them, and for all."""

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, number: int) -> float:
        """Return the milliseconds within which `number` of a hundred answers came."""
        return quantiles(self.latencies, n=100, method="inclusive")[number - 1] * 1000


class _Connection(asyncio.Protocol):
    """One connection: sends the request again as soon as its answer is whole."""

    def __init__(self, request: bytes, stretch: Stretch, answers: int, done: "asyncio.Future[bytes]") -> None:
        self._request, self._stretch, self._left, self._done = request, stretch, answers, done
        self._answer = b""
        self._size = 0  # of the answer that is coming, once its head has come
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._answer, self._size, self._began = b"", 0, time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined] # of a stream, as all of these are

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._size and (end := self._answer.find(HEAD_END)) >= 0:
            head = self._answer[:end].lower()
            if not head.startswith(b"http/1.1 200"):
                self._done.set_exception(AssertionError(self._answer.decode()))
                self._transport.close()
                return
            self._size = end + len(HEAD_END) + int(head.split(LENGTH)[1].split(b"\r\n")[0])
        if not self._size or len(self._answer) < self._size:
            return
        self._stretch.latencies.append(time.perf_counter() - self._began)
        self._left -= 1
        if self._left:
            self._send()
        else:
            self._done.set_result(self._answer.split(HEAD_END, 1)[1])
            self._transport.close()


async def manager(server: Server) -> str:
    """Return a new token of a manager who may read the bench's challenges."""
    await open_database(server.url, pool_size=1, name="bench")
    try:
        return await tokens.create_token(role=Role.MANAGER, brand=BRAND, name="pages", subject=None)
    finally:
        await close_database()


def requests(token: str) -> tuple[bytes, bytes]:
    """Return the page's request to the API, and to the hand-written endpoint."""
    body = json.dumps({"query": PAGE, "variables": {"first": CHALLENGES}}).encode()
    head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    post = f"POST {{}} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n"
    return post.format("/graphql").encode() + body, post.format(f"/page?first={CHALLENGES}").encode() + body


async def http_figures(port: int, token: str, rounds: int, answers: int) -> list[Figure]:
    """Return the ratio of answers a second at each number of connections, with p50 and p99 of both."""
    ours, floor = requests(token)
    same = [json.loads((await stretch(port, request, 1, 1))[1])["data"] for request in (ours, floor)]
    assert same[0] == same[1], "both answer the same page"
    return [await _figure(port, connections, (ours, floor), rounds, answers) for connections in CONNECTIONS]


async def _figure(port: int, connections: int, both: tuple[bytes, bytes], rounds: int, answers: int) -> Figure:
    measured: tuple[list[Stretch], list[Stretch]] = ([], [])
    for _ in range(rounds):
        for request, stretches in zip(both, measured, strict=True):
            await stretch(port, request, connections, max(1, int(WARM * answers)))
            stretches.append((await stretch(port, request, connections, answers))[0])
    ours, floor = measured
    return Figure(
        f"answers/s over HTTP, the same page, {connections} connection{'s' * (connections > 1)}",
        "a hand-written Starlette endpoint on the same rows",
        tuple(a.rate / b.rate for a, b in zip(ours, floor, strict=True)),
        TARGETS[connections],
        said=", ".join(
            (
                f"rate {_both(measured, lambda one: one.rate, '.0f')} a second",
                f"p50 {_both(measured, lambda one: one.percentile(50), '.2f')} ms",
                f"p99 {_both(measured, lambda one: one.percentile(99), '.2f')} ms",
            )
        ),
    )


def _both(measured: tuple[list[Stretch], list[Stretch]], of: Callable[[Stretch], float], form: str) -> str:
    """Return the medians of one figure, ours and the floor's."""
    return " : ".join(format(median(map(of, stretches)), form) for stretches in measured)


async def stretch(port: int, request: bytes, connections: int, answers: int) -> tuple[Stretch, bytes]:
    """Request pages on several connections; return the seconds and the last response."""
    loop, stretch = asyncio.get_running_loop(), Stretch()
    ends: list[asyncio.Future[bytes]] = [loop.create_future() for _ in range(connections)]
    began = time.perf_counter()
    for done in ends:
        await loop.create_connection(lambda done=done: _Connection(request, stretch, answers, done), "127.0.0.1", port)  # type: ignore[misc] # mypy infers no lambda with a default
    bodies = await asyncio.gather(*ends)
    stretch.seconds = time.perf_counter() - began
    return stretch, bodies[-1]
