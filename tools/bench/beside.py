"""The marker at work in a process of its own, on quotes that it feeds itself."""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from multiprocessing.synchronize import Event

from config.database import close_database, open_database
from services import quotes
from services.columnar import passes as marker_passes
from tools.bench.population import Population

PAUSE_SECONDS = 1.0  # between two batches of quotes, each of every symbol
MOVE = Decimal("0.0001")


@contextmanager
def marking(url: str, population: Population) -> Iterator[None]:
    """Passes over every account, one a second, while the block runs; it begins when the first has been made."""
    context = multiprocessing.get_context("spawn")
    ready, stop = context.Event(), context.Event()
    process = context.Process(target=_work, args=(url, population, ready, stop), daemon=True)
    process.start()
    try:
        while not ready.wait(PAUSE_SECONDS):
            assert process.is_alive(), "the marker ended before its first pass"
        yield
    finally:
        stop.set()
        process.join()
    assert process.exitcode == 0, "the marker failed"


def _work(url: str, population: Population, ready: Event, stop: Event) -> None:
    asyncio.run(_mark(url, population, ready, stop))


async def _mark(url: str, population: Population, ready: Event, stop: Event) -> None:
    await open_database(url, pool_size=4, name="bench-marker")
    passes = 0
    while not stop.is_set():
        began = time.monotonic()
        passes += 1
        await quotes.ingest(population.quotes(MOVE * (passes % 2)))
        await marker_passes.mark_shard(0)
        ready.set()
        await asyncio.sleep(max(PAUSE_SECONDS - (time.monotonic() - began), 0))
    await close_database()
