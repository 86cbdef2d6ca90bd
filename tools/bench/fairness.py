"""The cost of a hostile bearer for others: their p99 beside its slow statements, compared with the p99 without it.

The hostile one is a client of another brand. It has as many documents under way as make its queue full, each with as
many root fields as a document may have, and asks again at once. Each field is a count that keeps a process of the
database busy for seconds (`serving.SLOW`), so that what is measured includes the processors it takes.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from statistics import median
from typing import Any
from uuid import uuid4

import httpx
from websockets.asyncio.client import ClientConnection, connect

from cli.listener import DOCUMENT, PROTOCOL
from config.database import close_database, open_database
from services import brands, tokens
from services.principals import Principal, Role
from tools.bench.harness import Figure, Server
from tools.bench.pages import PAGE
from tools.bench.population import MANAGER
from tools.bench.serving import HOSTILE
from tools.bench.traders import quantile

RIVALS = "rivals"
ROWS = 10  # of the page that is read
FIELDS = 25
DOCUMENTS = 30
BEGIN_SECONDS = 1.0  # in which the hostile one has all that it may have
REFUSED_SECONDS = 0.1  # before it asks again
TARGET = 2
COUNTS = f"{{ {' '.join(f'f{n}: challenges {{ totalCount }}' for n in range(FIELDS))} }}"
DEPOSIT = """mutation($key: String!) { depositToWallet(input: {
  client: "payer", currency: "USD", amount: "1", idempotencyKey: $key}) { wallet { id } userErrors { code } } }"""
SAID = {"reads": f"a page of {ROWS} challenges", "writes": "a deposit", "events": "from a commit to its subscriber"}

Work = Callable[[], Awaitable[float]]
"""Does it once; answers the seconds it took."""


async def bearers(server: Server) -> tuple[str, str]:
    """New tokens of an honest manager and of the hostile client."""
    await open_database(server.url, pool_size=1, name="bench")
    try:
        await brands.save_brand(Principal(1, "bench", Role.ADMIN), name=RIVALS, title="Rivals")
        honest = await tokens.create_token(role=Role.MANAGER, brand=MANAGER.brand, name="honest")
        return honest, await tokens.create_token(role=Role.CLIENT, brand=RIVALS, name="hostile", subject=HOSTILE)
    finally:
        await close_database()


async def fairness_figures(port: int, honest: str, hostile: str, rounds: int, times: int) -> list[Figure]:
    """Measure reads, writes and events; return for each kind one figure, with one ratio of p99 for each round."""
    url = f"127.0.0.1:{port}"
    subscribing = connect(f"ws://{url}/graphql", subprotocols=[PROTOCOL])
    async with httpx.AsyncClient(base_url=f"http://{url}", trust_env=False, timeout=120) as http, subscribing as socket:
        await _subscribe(socket, honest)
        works: dict[str, Work] = {
            "reads": lambda: _asked(http, honest, PAGE, first=ROWS),
            "writes": lambda: _asked(http, honest, DEPOSIT, key=uuid4().hex),
            "events": lambda: _told(http, socket),
        }
        alone: dict[str, list[Sequence[float]]] = {name: [] for name in works}
        beside: dict[str, list[Sequence[float]]] = {name: [] for name in works}
        for work in works.values():
            await _stretch(work, times)  # so that nothing is done for the first time
        for _ in range(rounds):
            for name, work in works.items():
                alone[name].append(await _stretch(work, times))
            async with _storm(http, hostile):
                for name, work in works.items():
                    beside[name].append(await _stretch(work, times))
    return [_figure(name, alone[name], beside[name]) for name in works]


def _figure(name: str, alone: Sequence[Sequence[float]], beside: Sequence[Sequence[float]]) -> Figure:
    def both(share: float) -> str:
        return " : ".join(f"{median(quantile(one, share) for one in of) * 1000:.1f}" for of in (beside, alone))

    return Figure(
        f"{name} of others beside a hostile bearer, p99 ({SAID[name]})",
        "the same without it",
        tuple(quantile(b, 0.99) / quantile(a, 0.99) for a, b in zip(alone, beside, strict=True)),
        TARGET,
        at_most=True,
        said=f"p50 {both(0.5)} ms, p99 {both(0.99)} ms",
    )


async def _stretch(work: Work, times: int) -> Sequence[float]:
    return sorted([await work() for _ in range(times)])


async def _asked(http: httpx.AsyncClient, token: str, text: str, **variables: Any) -> float:
    began = time.perf_counter()
    response = await _post(http, token, text, **variables)
    seconds = time.perf_counter() - began
    assert "errors" not in response.json(), response.text
    return seconds


async def _post(http: httpx.AsyncClient, token: str, text: str, **variables: Any) -> httpx.Response:
    body = {"query": text, "variables": variables}
    return await http.post("/graphql", json=body, headers={"Authorization": f"Bearer {token}"})


async def _subscribe(socket: ClientConnection, token: str) -> None:
    await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
    assert json.loads(await socket.recv())["type"] == "connection_ack"
    await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": DOCUMENT}}))
    await socket.send(json.dumps({"type": "ping"}))
    assert json.loads(await socket.recv())["type"] == "pong", "the operation was taken on before it"


async def _told(http: httpx.AsyncClient, socket: ClientConnection) -> float:
    """Commit an event, and read it."""
    response = await http.post("/emit", json={"events": 1, "transactions": 1})
    committed: float = response.raise_for_status().json()
    message = json.loads(await socket.recv())
    assert message["type"] == "next", message
    return time.monotonic() - committed


@asynccontextmanager
async def _storm(http: httpx.AsyncClient, hostile: str) -> AsyncIterator[None]:
    async def ask() -> None:
        while True:
            await _post(http, hostile, COUNTS)
            await asyncio.sleep(REFUSED_SECONDS)

    tasks = [asyncio.create_task(ask()) for _ in range(DOCUMENTS)]
    try:
        await asyncio.sleep(BEGIN_SECONDS)
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, httpx.HTTPError):
                await task
