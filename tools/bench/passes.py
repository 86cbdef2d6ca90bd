"""Passes of the marker in this process, and the writing of the very same rows by themselves."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

import numpy as np

from config.database import connection
from domain.columnar.account_rows import AccountRows
from domain.columnar.fixed_point import LEAST, MOST, Flags, Ints
from domain.columnar.limit_screen import accounts_to_judge
from models.columnar import binary_copy
from models.columnar import marks as rows
from models.columnar.marks import PreparedMarks
from models.sql import Connection
from services import quotes
from services.columnar.passes import Marker
from services.unit_of_work.reads import read_connection
from tools.bench.population import Population

UPDATE = """
update balances b set
  seq = n.seq_after, head = n.head, marked_through = n.marked_through, marked_at = n.marked_at,
  unrealised = n.unrealised, equity = n.equity, high_watermark = n.high_watermark, ledger_due_at = n.ledger_due_at,
  day_low = n.day_low, day_high = n.day_high, peak_equity = n.peak_equity, metric_due_at = n.metric_due_at
from pg_temp.staged_marks n where b.account_id = n.account_id and b.account_id between $1 and $2
"""
DUE = (
    "update balances set metric_due_at = now() - interval '1 day', ledger_due_at = now() - interval '1 day' where live"
)


@contextmanager
def overheard() -> Iterator[list[PreparedMarks]]:
    """Everything the marker sends to be written meanwhile, chunk by chunk."""
    heard: list[PreparedMarks] = []
    write = rows.write_marks

    async def listened(conn: Connection, prepared: PreparedMarks) -> Flags:
        heard.append(prepared)
        return await write(conn, prepared)

    rows.write_marks = listened
    try:
        yield heard
    finally:
        rows.write_marks = write


async def seconds_of_pass(marker: Marker, population: Population, move: Decimal, symbols: int | None = None) -> float:
    """One batch, judged and written."""
    await quotes.ingest(population.quotes(move, symbols))
    began = time.perf_counter()
    assert await marker.drain() == 1, "one batch was waiting"
    return time.perf_counter() - began


async def seconds_of_writing(chunks: list[PreparedMarks]) -> float:
    """COPY and UPDATE of the same rows, and COPY of what was appended, each chunk in a transaction."""
    async with read_connection() as conn:
        began = time.perf_counter()
        for chunk in chunks:
            await conn.execute("begin")
            await conn.execute(rows.STAGE)
            await binary_copy.copy_in(conn, "staged_marks", rows.STAGED, chunk.balances)
            await conn.execute(UPDATE, int(chunk.marks.id.min()), int(chunk.marks.id.max()))
            if chunk.notes:
                await binary_copy.copy_in(conn, "ledger", rows.LEDGER, chunk.notes)
            if chunk.metrics:
                await binary_copy.copy_in(conn, "metrics", rows.MEASURED, chunk.metrics)
            await conn.execute("commit")
        return time.perf_counter() - began


async def let_all_fall_due(url: str, marker: Marker) -> None:
    """Return a metric and a mark_to_market row of every account are due at the next mark."""
    async with connection(url) as conn:
        await conn.execute(DUE)
        await conn.execute("vacuum balances")
    marker.forget()
    await marker.drain()


def seconds_of_screening(phases: int, rounds: int) -> tuple[list[float], list[float]]:
    """Screening so many phases by all rules, and adding up the same bytes: for each round the quickest of three."""
    chance = np.random.default_rng(1)
    table, at = AccountRows.empty(phases), np.arange(phases)
    equity: Ints = chance.integers(9_000_000_000_000, 11_000_000_000_000, phases)
    observed = np.ones(phases, np.bool_)
    table.set(at, cash=equity, peak_balance=equity, peak_equity=equity + 1, low=LEAST, high=MOST)
    table.trails[::4] = True
    columns = (table.low, table.high, table.cash, table.peak_balance, table.peak_equity, equity, table.trails,
               table.new_peak, observed)  # fmt: skip

    def screened() -> None:
        safe, _, _ = accounts_to_judge(table, equity, observed)
        assert safe.all(), "nobody is near a limit"

    def added_up() -> None:
        for column in columns:
            column.sum()

    return [_quickest(screened) for _ in range(rounds)], [_quickest(added_up) for _ in range(rounds)]


def _quickest(what: Callable[[], None]) -> float:
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        what()
        taken.append(time.perf_counter() - began)
    return min(taken)
