"""`propdesk bench evaluator`: what a pass costs, what screening costs, and how soon a breach is known."""

import asyncio
import os
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import psutil
import typer

from config.database import close_database, create_database, migrate, open_database
from config.logs import configure_logging
from config.settings import settings
from services import quotes
from services.columnar.passes import Marker
from services.unit_of_work.reads import read_connection
from tools.bench import breaches, harness
from tools.bench.harness import Figure, Server, Steps
from tools.bench.passes import (
    let_all_fall_due,
    overheard,
    seconds_of_pass,
    seconds_of_screening,
    seconds_of_writing,
)
from tools.bench.population import Population, populate

TICK = Decimal("0.0001")
FALL = Decimal("-0.08")  # breaks the daily limit of three accounts in ten
GIBIBYTE = 2**30
FEED_SECONDS = 1.0
ENOUGH = 0.98  # of the breaches that the fall causes


@dataclass(frozen=True, slots=True)
class EvaluatorSize:
    """The size of the bench."""

    accounts: int
    symbols: int
    screened: int
    rounds: int
    breaches: int  # one after the other, each heard of on a websocket
    growth: tuple[int, ...]


def evaluator(
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file, too")] = None,
    accounts: Annotated[int, typer.Option(min=100, help="Active phases, with three positions each")] = 100_000,
    symbols: Annotated[int, typer.Option(min=10, help="Symbols they hold")] = 200,
    screened: Annotated[int, typer.Option(min=100, help="Phases of the screening alone")] = 1_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="How often each pass is measured")] = 3,
    growth: Annotated[str, typer.Option(help="Sizes of the passes compared, by comma")] = "10000,100000,1000000",
) -> None:
    """A pass against the bare writing of its rows; screening against a sum; a breach from quote to subscriber."""
    configure_logging("ERROR", "bench")
    _persist_each(0)
    size = EvaluatorSize(
        accounts, symbols, screened, rounds, min(50, accounts // 20), tuple(map(int, growth.split(",")))
    )
    before = harness.machine()
    with harness.server() as server, harness.steps() as steps:
        figures, facts = asyncio.run(_measure(server, steps, size))
    harness.show_figures(f"The evaluator: {accounts:,} active phases", figures)
    if json_path:
        told = facts | {"machine": before, "load_after": harness.machine()["load"]}
        harness.write(json_path, "evaluator", figures, told)


def _persist_each(seconds: int) -> None:
    """Set the interval at which marks are written without another reason; 0: at every pass."""
    os.environ["PROPDESK_MARK_PERSIST_SECONDS"] = str(seconds)
    settings.cache_clear()


async def _measure(server: Server, steps: Steps, size: EvaluatorSize) -> tuple[list[Figure], dict[str, Any]]:
    figures, facts = [_screening(steps, size)], dict[str, Any]()
    await migrate(server.url)
    await open_database(server.url, pool_size=6, name="bench")
    try:
        with steps.step(f"a desk of {size.accounts:,} accounts and {size.symbols} symbols"):
            population = await populate(server.url, size.accounts, size.symbols)
        marker = Marker(0)
        with steps.step("loading the book"):
            await marker.drain()
        full = await _full_passes(server, steps, size, marker, population, due=False)
        due = await _full_passes(server, steps, size, marker, population, due=True)
        figures += [full.figure, due.figure, await _partial(steps, size, marker, population, full)]
        used = psutil.Process().memory_info().rss / GIBIBYTE
        figures.append(Figure("resident memory", "1 GiB", (used,), 1, at_most=True, said=f"{used:.2f} GiB"))
        async with breaches.served_desk(server.url) as address:
            figures.append(await _ingesting(server, steps, size, address, population))
            figures.append(await _latency(server, steps, size, address, population, full))
        figures += await _breaching(steps, size, population)
        facts["full pass, seconds"] = {"nothing due": full.seconds, "everything due": due.seconds}
    finally:
        await close_database()
    _persist_each(0)
    figures.append(await _growth(server, steps, size))
    return figures, facts


def _screening(steps: Steps, size: EvaluatorSize) -> Figure:
    with steps.step(f"screening {size.screened:,} phases"):
        ours, sums = seconds_of_screening(size.screened, size.rounds)
    return _compared(f"screening {size.screened:,} phases by all rules", "a numpy sum of the same bytes", ours, sums, 4)


def _compared(name: str, against: str, ours: list[float], theirs: list[float], target: float) -> Figure:
    said = ", ".join(f"{a * 1000:.1f} : {b * 1000:.1f}" for a, b in zip(ours, theirs, strict=True)) + " ms"
    ratios = tuple(a / b for a, b in zip(ours, theirs, strict=True))
    return Figure(name, against, ratios, target, at_most=True, said=said)


@dataclass(frozen=True, slots=True)
class Full:
    seconds: list[float]
    figure: Figure


async def _full_passes(
    server: Server, steps: Steps, size: EvaluatorSize, marker: Marker, population: Population, *, due: bool
) -> Full:
    """Passes in which every symbol moves, and after each the writing of the same rows alone."""
    what = "metric and ledger rows due" if due else "nothing else due"
    ours, bare, written = [], [], 0
    for number in range(size.rounds + 1):  # the first only warms up
        if due:
            await let_all_fall_due(server.url, marker)
        with steps.step(f"a full pass, {what}"), overheard() as chunks:
            ours.append(await seconds_of_pass(marker, population, TICK * (number + 1 + 10 * due)))
        with steps.step("its rows alone"):
            bare.append(await seconds_of_writing(chunks))
        written = sum(len(chunk.marks) for chunk in chunks)
    name = f"full pass, {written:,} accounts written, {what}"
    against = "COPY and UPDATE of the same rows, same chunks"
    return Full(ours[1:], _compared(name, against, ours[1:], bare[1:], 1.5))


async def _partial(steps: Steps, size: EvaluatorSize, marker: Marker, population: Population, full: Full) -> Figure:
    await marker.drain()
    with steps.step("passes in which 2 symbols moved"):
        some = [await seconds_of_pass(marker, population, TICK * (30 + number), 2) for number in range(size.rounds)]
    whole = [median(full.seconds)] * len(some)
    return _compared(f"a pass in which 2 of {size.symbols} symbols moved", "the full pass", some, whole, 0.2)


async def _ingesting(server: Server, steps: Steps, size: EvaluatorSize, address: str, population: Population) -> Figure:
    with steps.step(f"ingestQuotes with {breaches.QUOTES:,} quotes"):
        ours, bare = await breaches.seconds_of_ingesting(server.url, address, population, 4 * size.rounds)
    against = "the bare insert of those rows"
    return _compared(
        f"ingestQuotes with {breaches.QUOTES:,} quotes over HTTP", against, [median(ours)], [median(bare)], 4
    )


async def _latency(
    server: Server, steps: Steps, size: EvaluatorSize, address: str, population: Population, full: Full
) -> Figure:
    with steps.step(f"{size.breaches} breaches, one after the other"):
        taken = sorted(await breaches.seconds_to_breach(server.url, address, population, size.breaches))
    high, middle, whole = taken[int(len(taken) * 0.99)], median(taken), median(full.seconds)
    said = f"p99 {high * 1000:.0f}, p50 {middle * 1000:.0f}; a full pass {whole * 1000:.0f} ms"
    name = "from ingestQuotes returning to the breach event on a websocket, p99"
    return Figure(name, "a full pass", (high / whole,), 2, at_most=True, said=said)


async def _breaching(steps: Steps, size: EvaluatorSize, population: Population) -> list[Figure]:
    """Return a fall that breaks three in ten, while quotes go on coming."""
    _persist_each(5)
    marker = Marker(0)
    await marker.drain()
    before = await _breaches()
    expected, stop = _held(population), asyncio.Event()
    with steps.step("a pass in which 30 % breach, quotes coming meanwhile"):
        began = time.perf_counter()
        await quotes.ingest(population.quotes(FALL))
        feeding = asyncio.create_task(_feed(population, stop))
        marking = asyncio.create_task(_drain_until(marker, stop))
        while (found := await _breaches() - before) < expected * ENOUGH and not marking.done():  # noqa: ASYNC110
            await asyncio.sleep(0.2)  # the database says when
        taken = time.perf_counter() - began
        stop.set()
        fed, judged = await feeding, await marking
    said = f"{found:,} of about {expected:,} in {taken:.1f} s; of {fed} batches fed meanwhile {judged} were judged"
    return [
        Figure("breaches written", "those there are", (found / expected,), ENOUGH, said=said),
        Figure("batches marked while they were written", "one", (float(judged),), 1),
    ]


def _held(population: Population) -> int:
    """Return how many accounts hold a hundred times as much."""
    return population.accounts // 10 * 3 + min(population.accounts % 10, 3)


async def _breaches() -> int:
    async with read_connection() as conn:
        found: int = await conn.fetchval("select count(*) from breaches where consequence = 'FAIL'")
        return found


async def _feed(population: Population, stop: asyncio.Event) -> int:
    """Return a batch of every symbol each second; answers how many."""
    fed = 0
    while not stop.is_set():
        await asyncio.sleep(FEED_SECONDS)
        await quotes.ingest(population.quotes(FALL + TICK * (fed % 5)))
        fed += 1
    return fed


async def _drain_until(marker: Marker, stop: asyncio.Event) -> int:
    judged = 0
    while not stop.is_set():
        judged += await marker.drain()
        await asyncio.sleep(0.05)
    return judged


async def _growth(server: Server, steps: Steps, size: EvaluatorSize) -> Figure:
    """Return a full pass over populations of other sizes; an account's share of it, largest against smallest."""
    seconds = []
    for accounts in size.growth:
        url = await create_database(server.url, f"growth_{accounts}")
        await migrate(url)
        await open_database(url, pool_size=4, name="bench")
        try:
            with steps.step(f"a full pass over {accounts:,} accounts"):
                population = await populate(url, accounts, size.symbols)
                marker = Marker(0)
                await marker.drain()
                seconds.append(min([await seconds_of_pass(marker, population, TICK * n) for n in (1, 2)]))
        finally:
            await close_database()
    each = [taken / accounts for taken, accounts in zip(seconds, size.growth, strict=True)]
    said = ", ".join(f"{n:,}: {taken:.2f} s" for n, taken in zip(size.growth, seconds, strict=True))
    ratio = each[-1] / each[0]
    return Figure("an account's share of a full pass, largest", "smallest", (ratio,), 1.5, at_most=True, said=said)
