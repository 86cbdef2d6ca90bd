"""Suspect quotes: at most one for each symbol, which the quote guard holds back until another quote confirms it."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import asyncpg

from domain.quote_guard import QuoteFinding, Suspect
from models import sql
from models.sql import Connection

UPSERT = sql.Bulk(
    """
insert into suspect_quotes (symbol, bid, ask, source_time, source, finding)
select symbol, bid, ask, source_time, source, finding
from {rows} as n (symbol, bid, ask, source_time, source, finding)
on conflict (symbol) do update
set bid = excluded.bid, ask = excluded.ask, source_time = excluded.source_time, source = excluded.source,
  finding = excluded.finding, held_at = clock_timestamp()
""",
    ("text", "numeric", "numeric", "timestamptz", "text", "text"),
)
DUE = """clock_timestamp() > s.held_at + make_interval(secs => case s.finding when 'FROZEN'
  then greatest(i.guard_move_seconds, i.guard_frozen_seconds) else i.guard_move_seconds end)"""


class StoredSuspect(NamedTuple):
    """A stored suspect quote."""

    symbol: str
    bid: Decimal
    ask: Decimal
    source_time: datetime
    source: str
    finding: QuoteFinding
    held_at: datetime


async def read_suspects(conn: Connection, most: int) -> list[StoredSuspect]:
    """Return suspect quotes in order of symbol, at most `most`."""
    rows = await conn.fetch(
        "select symbol, bid, ask, source_time, source, finding, held_at from suspect_quotes order by symbol limit $1",
        most,
    )
    return [_stored(row) for row in rows]


def _stored(row: asyncpg.Record) -> StoredSuspect:
    return StoredSuspect(**{**row, "finding": QuoteFinding(row["finding"])})


async def has_due_suspects(conn: Connection) -> bool:
    """Return whether a suspect quote has waited as long as its guard allows, by the real clock."""
    has_due: bool = await conn.fetchval(
        f"select exists (select from suspect_quotes s join instruments i using (symbol) where {DUE})"
    )
    return has_due


async def delete_due_suspects(conn: Connection) -> list[StoredSuspect]:
    """Delete and return the suspect quotes that have waited as long as their guard allows.

    The caller holds the ingest lock.
    """
    rows = await conn.fetch(
        f"""delete from suspect_quotes s using instruments i where i.symbol = s.symbol and {DUE}
        returning s.symbol, s.bid, s.ask, s.source_time, s.source, s.finding, s.held_at"""
    )
    return [_stored(row) for row in rows]


async def write_suspects(conn: Connection, suspects: Mapping[str, Suspect | None]) -> None:
    """Store suspect quotes by symbol; delete the stored one of a symbol whose value is None."""
    confirmed = [symbol for symbol, suspect in suspects.items() if suspect is None]
    if confirmed:
        await conn.execute("delete from suspect_quotes where symbol = any($1::text[])", confirmed)
    await sql.write(
        conn,
        UPSERT,
        [
            (symbol, s.quote.bid, s.quote.ask, s.quote.source_time, s.source, s.finding.value)
            for symbol, s in suspects.items()
            if s is not None
        ],
    )
