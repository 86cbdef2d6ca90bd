"""`propdesk bench api`: what it costs to tell a thousand subscribers, against writing ready frames to their sockets.

And what a page costs, in tools/bench/pages.py; what a hostile bearer costs others, in tools/bench/fairness.py.
"""

import asyncio
import json
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import httpx
import typer

from config.database import close_database, migrate, open_database
from config.logs import configure_logging
from services import brands, tokens
from services.principals import Principal, Role
from tools.bench import amplification, fairness, harness, http
from tools.bench.crowds import Crowd, bound_to, crowd
from tools.bench.harness import Figure, Server, Steps
from tools.bench.pages import pages
from tools.bench.serving import BRAND, CHALLENGE, served_bench

ADMIN = Principal(1, "bench", Role.ADMIN)
KIBIBYTE = 1024
SPARE_FILES = 500  # beside the websockets, of either process
SETTLE_SECONDS = 0.5  # nothing tells when a server has cleaned up after a thousand connections
STRETCHES = 3  # of each page's answers, a round
TARGET_BARE, TARGET_STOCK, TARGET_LATENCY, TARGET_MEMORY = 0.4, 10, 3, 40


@dataclass(frozen=True, slots=True)
class ApiSize:
    """The size of the bench."""

    subscribers: int
    events: int  # of a burst
    connections: int
    rounds: int
    answers: int  # of each page, a stretch
    heavy: int  # subscriptions that ask for much of one account


def api(
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file, too")] = None,
    subscribers: Annotated[int, typer.Option(min=2, help="Websockets that follow every event")] = 1_000,
    events: Annotated[int, typer.Option(min=10, help="Events of one burst")] = 100,
    connections: Annotated[int, typer.Option(min=10, help="Websockets held at once, to see what one needs")] = 5_000,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured")] = 5,
    answers: Annotated[int, typer.Option(min=1, help="Answers of a page in each stretch")] = 50,
    heavy: Annotated[int, typer.Option(min=2, help="Subscriptions that ask for much of one account")] = 190,
) -> None:
    """Events to many subscribers against bare writes and executing for each; what a connection, a page, a foe cost."""
    configure_logging("ERROR", "bench")
    size = ApiSize(subscribers, events, min(connections, _files() - SPARE_FILES), rounds, answers, heavy)
    before = harness.machine()
    with harness.server() as server, harness.steps() as steps:
        bearers = asyncio.run(_prepare(server))
        figures = _measure(server, steps, size, bearers)
        with steps.step("pages"):
            figures += harness.run(pages(server, STRETCHES * size.rounds, size.answers))
        with steps.step("pages over HTTP"):
            figures += _over_http(server, size)
    harness.show_figures(f"The API: {size.subscribers:,} subscribers", figures)
    if json_path:
        told = {"machine": before, "load_after": harness.machine()["load"], "size": _size(size)}
        harness.write(json_path, "api", figures, told)


def _over_http(server: Server, size: ApiSize) -> list[Figure]:
    """Return the page of challenges from a server on a processor of its own; the database holds them since `pages`.

    And what others feel of a hostile bearer.
    """
    cores = sorted(os.sched_getaffinity(0))
    token = asyncio.run(http.manager(server))
    honest, hostile = asyncio.run(fairness.bearers(server))
    bound_to(cores[1] if len(cores) > 1 else None)
    try:
        with served_bench(server.url, cores[0] if len(cores) > 1 else None) as port:
            figures = harness.run(http.http_figures(port, token, STRETCHES * size.rounds, size.answers))
            figures += harness.run(amplification.amplification_figures(port, token, size.heavy, size.rounds))
            return figures + harness.run(fairness.fairness_figures(port, honest, hostile, size.rounds, size.answers))
    finally:
        os.sched_setaffinity(0, cores)


def _size(size: ApiSize) -> dict[str, int]:
    return {name: getattr(size, name) for name in ApiSize.__slots__}


def _files() -> int:
    """Return how many files a process may have open; as many as it may ask for."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


async def _prepare(server: Server) -> list[str]:
    """Return a brand, and tokens that see its events for different reasons."""
    await migrate(server.url)
    await open_database(server.url, pool_size=2, name="bench")
    try:
        await brands.save_brand(ADMIN, name=BRAND, title="Bench")
        admin = await tokens.create_token(role=Role.ADMIN, brand=None, name="admin", subject=None)
        manager = await tokens.create_token(role=Role.MANAGER, brand=BRAND, name="manager", subject=None)
        desk = await tokens.create_token(role=Role.TRADER, brand=BRAND, name="desk", subject=None)
        scope = {"challenges": [str(CHALLENGE)]}
        bot = await tokens.create_for(ADMIN, role=Role.TRADER, brand=BRAND, name="bot", scope=scope)
    finally:
        await close_database()
    return [admin, manager, desk, bot.text]


def _measure(server: Server, steps: Steps, size: ApiSize, bearers: list[str]) -> list[Figure]:
    cores = sorted(os.sched_getaffinity(0))
    alone = len(cores) > 1
    core = cores[0] if alone else None
    bound_to(cores[1] if alone else None)
    with served_bench(server.url, core) as port, _remote(port) as remote:
        with (
            steps.step(f"{size.subscribers:,} subscribers"),
            crowd(port, "/graphql", bearers, size.subscribers) as all_,
        ):
            time.sleep(SETTLE_SECONDS)  # so that opening them is not measured
            figures, ours = _fan_out(size, remote, all_)
        with steps.step("each executed for itself"), crowd(port, "/stock", bearers, size.subscribers) as all_:
            time.sleep(SETTLE_SECONDS)  # as above
            few = max(1, size.events // 10)
            stock = [remote.told(all_, few) for _ in range(min(2, size.rounds))]
        figures.insert(1, _against_stock(ours, [few * size.subscribers / seconds for seconds in stock]))
    with (
        served_bench(server.url, core) as port,
        _remote(port) as remote,
        steps.step(f"{size.connections:,} connections"),
    ):
        figures.append(_memory(remote, port, bearers, size))
    os.sched_setaffinity(0, cores)
    return figures


class _Remote:
    """Tells the server what to do, and the crowd to count; answers seconds."""

    def __init__(self, http: httpx.Client, url: str) -> None:
        self._http, self._url = http, url

    def _post(self, path: str, body: bytes) -> float:
        found: float = self._http.post(self._url + path, content=body).raise_for_status().json()
        return found

    def told(self, all_: Crowd, events: int, transactions: int = 1) -> float:
        """Return the seconds from the commit of events until the last subscriber has read the last of them."""
        committed = self._post("/emit", json.dumps({"events": events, "transactions": transactions}).encode())
        return all_.take(events * transactions) - committed

    def bare(self, all_: Crowd, events: int) -> float:
        """Return the same frame written as often to the same websockets, from the first write on."""
        began = self._post(f"/bare?times={events}", all_.frame)
        return all_.take(events) - began

    def memory(self) -> int:
        found: int = self._http.get(self._url + "/memory").raise_for_status().json()
        return found


@contextmanager
def _remote(port: int) -> Iterator[_Remote]:
    with httpx.Client(trust_env=False, timeout=120) as http:
        yield _Remote(http, f"http://127.0.0.1:{port}")


def _fan_out(size: ApiSize, remote: _Remote, all_: Crowd) -> tuple[list[Figure], list[float]]:
    """Bursts, and single events; each against the bare loop just after it."""
    remote.told(all_, size.events)
    remote.bare(all_, size.events)
    ours, bare, one, one_bare = [], [], [], []
    for _ in range(size.rounds):
        ours.append(remote.told(all_, size.events))
        bare.append(remote.bare(all_, size.events))
    for _ in range(4 * size.rounds):
        one.append(remote.told(all_, 1))
        one_bare.append(remote.bare(all_, 1))
    many = size.events * size.subscribers
    rates = [many / seconds for seconds in ours]
    burst = Figure(
        f"deliveries/s, {size.events} events to {size.subscribers:,} subscribers",
        "a bare loop of ready frames, same websockets",
        tuple(b / a for a, b in zip(ours, bare, strict=True)),
        TARGET_BARE,
        said=f"{median(rates):,.0f} : {median([many / seconds for seconds in bare]):,.0f} a second",
    )
    single = Figure(
        f"one event, from its commit to the last of {size.subscribers:,}",
        "the bare loop, from its first write",
        (median(one) / median(one_bare),),
        TARGET_LATENCY,
        at_most=True,
        said=f"{median(one) * 1000:.1f} : {median(one_bare) * 1000:.1f} ms, slowest {max(one) * 1000:.1f}",
    )
    return [burst, single], rates


def _against_stock(ours: list[float], stock: list[float]) -> Figure:
    said = f"{median(ours):,.0f} : {median(stock):,.0f} a second"
    return Figure(
        "deliveries/s", "executing for each subscriber", (median(ours) / median(stock),), TARGET_STOCK, said=said
    )


def _memory(remote: _Remote, port: int, bearers: list[str], size: ApiSize) -> Figure:
    before = remote.memory()
    with crowd(port, "/graphql", bearers, size.connections) as all_:
        time.sleep(SETTLE_SECONDS)  # so that what only opening them needed is not counted
        each = (remote.memory() - before) / size.connections / KIBIBYTE
        seconds = remote.told(all_, 1)
    said = f"{size.connections:,} held; one event reached the last of them after {seconds * 1000:.0f} ms"
    return Figure("KiB resident a connection that follows", "1 KiB", (each,), TARGET_MEMORY, at_most=True, said=said)
