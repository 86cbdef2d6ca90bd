"""`propdesk bench scale`: what more processes cost and carry.

Workers are processes that mark the same accounts, divided into SHARDS shards, at a batch a second: what several need
altogether against what one needs. How soon a shard has another owner when its owner is killed; how soon a desk is ready
when nothing of it runs; how many pages two API processes answer for each processor second of their own.
"""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import httpx
import psutil
import typer

from config.database import close_database, migrate, open_database
from config.embedded import EmbeddedServer
from config.logs import configure_logging
from services import ownership, quotes
from tools.bench import brokers, harness, http
from tools.bench.apis import figure as api_figure
from tools.bench.harness import Figure, Server, Steps
from tools.bench.population import Population, populate
from tools.bench.working import (
    LOOK_SECONDS,
    Process,
    behind,
    deadline,
    running,
    servers_seconds,
    start,
)
from tools.ports import free_port

SHARDS = 4
WORKERS = (1, 2, 4)
BATCH_SECONDS = 1.0
WARM = 8  # batches before it is counted: marks are written every five seconds
MOVE = Decimal("0.0001")
MEBIBYTE = 1 << 20
TARGET_SECONDS, TARGET_MEMORY, TARGET_MOVE, TARGET_START = 1.15, 1.3, 3, 15


@dataclass(frozen=True, slots=True)
class ScaleSize:
    """The size of the bench."""

    accounts: int
    symbols: int
    batches: int  # of each number of workers
    rounds: int
    answers: int  # of the page, a stretch
    messages: int  # on each broker, a round


def scale(
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file, too")] = None,
    accounts: Annotated[int, typer.Option(min=100, help="Active phases, with three positions each")] = 100_000,
    symbols: Annotated[int, typer.Option(min=10, help="Symbols they hold")] = 200,
    batches: Annotated[int, typer.Option(min=2, help="Batches, a second apart, for each number of workers")] = 30,
    rounds: Annotated[int, typer.Option(min=1, help="How often a worker is killed, and the pages are measured")] = 3,
    answers: Annotated[int, typer.Option(min=1, help="Answers of a page in each stretch")] = 50,
    messages: Annotated[int, typer.Option(min=10, help="Wake-ups sent on each broker, a round")] = brokers.MESSAGES,
) -> None:
    """Several workers or APIs against one; a killed worker's shards; a cold start; what a wake-up costs on a broker."""
    configure_logging("ERROR", "bench")
    size = ScaleSize(accounts, symbols, batches, rounds, answers, messages)
    before = harness.machine()
    with harness.server() as server, harness.steps() as steps:
        figures, facts = asyncio.run(_measure(server, steps, size))
        with steps.step("pages of two API processes"):
            figures.append(_pages(server, size))
        with steps.step("wake-ups on each broker"):
            figures += brokers.broker_figures(server, size.rounds, size.messages)
    harness.show_figures(f"Scale: {accounts:,} accounts in {SHARDS} shards", figures)
    if json_path:
        facts |= {"machine": before, "load_after": harness.machine()["load"], "size": asdict(size)}
        harness.write(json_path, "scale", figures, facts)


async def _measure(server: Server, steps: Steps, size: ScaleSize) -> tuple[list[Figure], dict[str, Any]]:
    await migrate(server.url)
    await open_database(server.url, pool_size=4, name="bench")
    try:
        with steps.step(f"a desk of {size.accounts:,} accounts and {size.symbols} symbols"):
            population = await populate(server.url, size.accounts, size.symbols)
            await ownership.set_shard_count(SHARDS)
        feed = Feed(population)
        runs = {}
        for many in WORKERS:
            with steps.step(f"{size.batches} batches marked by {many} worker{'s' * (many > 1)}"):
                runs[many] = await _marked(server, feed, many, size.batches)
        figures = [*_against_one(runs), await _moved(server, steps, size, feed)]
        figures.append(await _cold_start(server, steps, feed))
    finally:
        await close_database()
    return figures, {"marked by workers": {str(many): asdict(run) for many, run in runs.items()}}


@dataclass(slots=True)
class Feed:
    """Batches of every symbol, each a little off the one before."""

    population: Population
    fed: int = 0

    async def batch(self) -> None:
        self.fed += 1
        await quotes.ingest(self.population.quotes(MOVE * (self.fed % 2)))


@dataclass(slots=True)
class Run:
    """The processor time and memory that a number of workers needed for the same batches."""

    processor_seconds: float = 0.0
    database_seconds: float = 0.0
    wall_seconds: float = 0.0
    mebibytes: float = 0.0
    behind: list[int] = field(default_factory=list)  # batches that waited when the next one came


async def _marked(server: Server, feed: Feed, many: int, batches: int) -> Run:
    """Start the workers, let them load their shards, then count what the batches cost."""
    run = Run()
    with running(start(server.url, "work", "--processes", str(many))) as processes:
        (workers,) = processes
        await _warm(feed, processes, batches)
        postgres = psutil.Process(int((server.socket / "postmaster.pid").read_text().split()[0]))
        before, database, began = workers.seconds, servers_seconds(postgres), time.monotonic()
        for number in range(batches):
            await asyncio.sleep(max(0.0, began + number * BATCH_SECONDS - time.monotonic()))
            if number:
                run.behind.append(await behind())
            await feed.batch()
        await _until_judged(processes)
        run.wall_seconds = time.monotonic() - began
        run.processor_seconds = workers.seconds - before
        run.database_seconds = servers_seconds(postgres) - database
        run.mebibytes = workers.memory / MEBIBYTE
    return run


async def _warm(feed: Feed, processes: Sequence[Process], batches: int) -> None:
    """Batches until every worker has what it owns in memory and its marks are written."""
    for _ in range(min(WARM, batches)):
        await feed.batch()
        await _until_judged(processes)
        await asyncio.sleep(BATCH_SECONDS)


async def _until_judged(processes: Sequence[Process]) -> None:
    """Wait until every shard has judged the newest batch."""
    until = deadline()
    while await behind():
        assert time.monotonic() < until, "the workers do not judge what waits"
        assert any(process.started.poll() is None for process in processes), "the workers have ended"
        await asyncio.sleep(LOOK_SECONDS)


def _against_one(runs: Mapping[int, Run]) -> list[Figure]:
    one, figures = runs[1], []
    for many in WORKERS[1:]:
        run = runs[many]
        figures.append(
            Figure(
                f"processor seconds of {many} workers, {len(run.behind) + 1} batches",
                "of one worker, the same batches",
                (run.processor_seconds / one.processor_seconds,),
                TARGET_SECONDS,
                at_most=True,
                said=f"{run.processor_seconds:.1f} : {one.processor_seconds:.1f} s; PostgreSQL's "
                f"{run.database_seconds:.1f} : {one.database_seconds:.1f} s; "
                f"wall {run.wall_seconds:.1f} : {one.wall_seconds:.1f} s",
            )
        )
        said = f"{run.mebibytes:.0f} : {one.mebibytes:.0f} MiB"
        ratio = run.mebibytes / one.mebibytes
        figures.append(
            Figure(
                f"memory of {many} workers of one parent (PSS)",
                "of one worker",
                (ratio,),
                TARGET_MEMORY,
                at_most=True,
                said=said,
            )
        )
    for many, run in runs.items():
        late = [waited for waited in run.behind if waited]
        said = f"{len(late)} of {len(run.behind)} times some, {max(run.behind)} at most"
        name = f"batches behind when the next one comes, {many} worker{'s' * (many > 1)}"
        figures.append(Figure(name, "none", (float(median(run.behind)),), 0, at_most=True, said=said))
    return figures


async def _moved(server: Server, steps: Steps, size: ScaleSize, feed: Feed) -> Figure:
    """Kill one of two workers, and wait until every shard has judged a batch that came after."""
    taken = []
    two = [start(server.url, "work") for _ in range(2)]
    with steps.step(f"{size.rounds} times one of two workers is killed"), running(*two) as processes:
        for _ in range(size.rounds):
            await _warm(feed, processes, size.batches)
            killed = processes.pop(0)
            began = time.perf_counter()
            killed.kill()
            await feed.batch()
            await _until_judged(processes)
            taken.append(time.perf_counter() - began)
            processes.append(start(server.url, "work"))
    said = ", ".join(f"{seconds:.2f}" for seconds in taken) + " s, the load of its shards included"
    name = "from kill -9 of one of two workers until every shard has judged a later batch"
    return Figure(name, "one second", tuple(taken), TARGET_MOVE, at_most=True, said=said)


async def _cold_start(server: Server, steps: Steps, feed: Feed) -> Figure:
    """Measure a cold start: from nothing running, PostgreSQL included, until the API says that the desk is ready."""
    await close_database()
    postmaster = psutil.Process(int((server.socket / "postmaster.pid").read_text().split()[0]))
    postmaster.kill()
    postmaster.wait()
    with steps.step("a cold start"):
        began = time.perf_counter()
        EmbeddedServer(server.socket.parent).mend()
        database = time.perf_counter() - began
        port = free_port()
        with running(start(server.url, "serve", PROPDESK_PORT=str(port)), start(server.url, "work")):
            await _until_ready(port)
            taken = time.perf_counter() - began
    await open_database(server.url, pool_size=4, name="bench")
    said = f"{taken:.1f} s, PostgreSQL killed before, its recovery {database:.1f} s of it"
    name = "from nothing running until /readyz says ready, every shard judged"
    return Figure(name, "one second", (taken,), TARGET_START, at_most=True, said=said)


async def _until_ready(port: int) -> None:
    until = deadline()
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        while time.monotonic() < until:
            try:
                answer = await client.get(f"http://127.0.0.1:{port}/readyz")
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 200:
                told = answer.json()
                if told["evaluatedThrough"] == told["newestBatch"]:
                    return
            await asyncio.sleep(LOOK_SECONDS)
    raise AssertionError("the desk does not become ready")


def _pages(server: Server, size: ScaleSize) -> Figure:
    token = asyncio.run(http.manager(server))
    cores = sorted(os.sched_getaffinity(0))
    try:
        return api_figure(server, token, cores, size.rounds, size.answers)
    finally:
        os.sched_setaffinity(0, cores)
