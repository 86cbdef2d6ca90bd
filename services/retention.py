"""Retention: delivered events, metrics and quotes are deleted at the ages that the settings give.

Ages are by the real clock, also in a replay. Each portion is a transaction: a killed process leaves the rest to the
next round, and of two processes at once one does nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from config.settings import settings
from models import events, metrics, quotes, retention
from models.sql import Connection
from services.unit_of_work.openings import write_transaction
from services.unit_of_work.reads import read_connection

PORTIONS_MAX = 10  # of each kind in one round: between two rounds a process sends its heartbeat
EVENTS_AT_ONCE = 10_000
QUOTES_AT_ONCE = 20_000

Portion = Callable[[Connection, int], Awaitable[int]]
"""Deletes a portion of what is older than so many days; returns how many rows, 0 when nothing is left."""


@dataclass(frozen=True, slots=True)
class Round:
    """The rows that one round deleted, by table."""

    events: int
    batches: int
    months_of_metrics: int


@dataclass(frozen=True, slots=True)
class Retention:
    """The oldest data that is kept."""

    events: int  # events up to this position are deleted; 0: none
    quotes: int  # quotes up to this batch are deleted, except the newest of each symbol; 0: none
    metrics: datetime | None  # metrics recorded before this are deleted


async def delete_old_rows() -> Round:
    """Delete what is older than its retention; a large backlog takes many calls."""
    kept = settings()
    return Round(
        events=await _in_portions(kept.events_keep_days, _events),
        batches=await _in_portions(kept.quotes_keep_days, _quotes),
        months_of_metrics=await _in_portions(kept.metrics_keep_days, metrics.drop_old_metrics),
    )


async def _in_portions(days: int | None, forget_portion: Portion) -> int:
    total = 0
    for _ in range(PORTIONS_MAX if days else 0):
        async with write_transaction() as conn:
            gone = await forget_portion(conn, days or 0) if await retention.lock_retention(conn) else 0
        if not gone:
            break
        total += gone
    return total


async def _events(conn: Connection, days: int) -> int:
    return await events.delete_old_events(conn, days, EVENTS_AT_ONCE)


async def _quotes(conn: Connection, days: int) -> int:
    return await quotes.delete_old_batches(conn, days, QUOTES_AT_ONCE)


async def read_retention() -> Retention:
    """Return how far old data has been deleted."""
    async with read_connection() as conn:
        return Retention(**await retention.retained_from(conn))
