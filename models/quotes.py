"""Quotes and their batches, and what a process needs to keep its own copy of the tape."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg

from domain.instruments import Catalogue, Currency, Instrument
from domain.quotes import Batch, Dropped, Quote
from models import sql
from models.sql import Connection

INGEST_LOCK = 7_701  # serialises the numbering of batches
NOW = """
select d.mode, clock_timestamp() as real_time, v.version as catalogue_version, coalesce(b.number, 0) as number,
  b.market_time
from desk d join catalogue_version v on v.id = d.id
left join lateral (select number, market_time from batches order by number desc limit 1) b on true
where d.id = 1
"""
AFTER = """
select b.number, b.market_time, q.symbol, q.bid, q.ask, q.source_time
from batches b left join quotes q on q.batch = b.number
where b.number > $1 and b.number <= $2 order by b.number, q.symbol
"""
AS_OF = """
select q.symbol, q.bid, q.ask, q.source_time, q.batch
from instruments i
cross join lateral (
  select symbol, bid, ask, source_time, batch from quotes
  where symbol = i.symbol and batch <= $1 order by batch desc limit 1) q
"""
QUOTES: sql.Columns = {
    "batch": "bigint",
    "symbol": "text",
    "bid": "numeric",
    "ask": "numeric",
    "source_time": "timestamptz",
}
INSERT_QUOTES = sql.insert_statement("quotes", QUOTES)
UPSERT_LATEST = sql.Bulk(
    """
insert into latest_quotes (symbol, batch, bid, ask, source_time)
select symbol, batch, bid, ask, source_time from {rows} as n (batch, symbol, bid, ask, source_time)
on conflict (symbol) do update
set batch = excluded.batch, bid = excluded.bid, ask = excluded.ask, source_time = excluded.source_time
""",
    tuple(QUOTES.values()),
)
COUNT_DROPPED = """
insert into dropped_quotes (symbol, reason, count, last_at)
select symbol, reason, count, $4 from unnest($1::text[], $2::text[], $3::bigint[]) as n (symbol, reason, count)
on conflict (symbol, reason) do update
set count = dropped_quotes.count + excluded.count, last_at = excluded.last_at
"""


class Now(NamedTuple):
    """One look at the clocks: the database's mode and time, the catalogue's version, the newest batch (0: none)."""

    mode: str
    real_time: datetime
    catalogue_version: int
    number: int
    market_time: datetime | None


async def now(conn: Connection) -> Now:
    row = await conn.fetchrow(NOW)
    assert row, "the desk's row is made by the migration"
    return Now(*row)


def _quote(row: asyncpg.Record) -> Quote:
    return Quote(row["symbol"], row["bid"], row["ask"], row["source_time"])


async def batches(conn: Connection, after: int, through: int) -> list[Batch]:
    """The batches numbered after < n <= through, in order, with their quotes."""
    found: dict[int, tuple[datetime, list[Quote]]] = {}
    for row in await conn.fetch(AFTER, after, through):
        _, quotes = found.setdefault(row["number"], (row["market_time"], []))
        if row["symbol"] is not None:
            quotes.append(_quote(row))
    return [Batch(number, at, tuple(quotes)) for number, (at, quotes) in found.items()]


async def market(conn: Connection, as_of: int) -> dict[str, tuple[int, Quote]]:
    """The newest quote of every symbol at a batch, each with the batch it came in."""
    return {row["symbol"]: (row["batch"], _quote(row)) for row in await conn.fetch(AS_OF, as_of)}


async def catalogue(conn: Connection) -> Catalogue:
    """Every instrument and currency; oldest first, so that what converts a currency stays what it was."""
    instruments = await conn.fetch(
        """select symbol, base_currency, quote_currency, price_precision, quantity_step, quantity_min
        from instruments order by created_at, symbol"""
    )
    currencies = await conn.fetch("select code, minor_units, par from currencies")
    return Catalogue(
        {row["symbol"]: Instrument(*row) for row in instruments}, {row["code"]: Currency(*row) for row in currencies}
    )


async def lock_ingest(conn: Connection) -> None:
    """Batches are numbered in commit order: only one transaction at a time numbers them."""
    await conn.execute("select pg_advisory_xact_lock($1)", INGEST_LOCK)


async def known_times(conn: Connection) -> dict[str, datetime | None]:
    """Every listed symbol and the source time of its newest quote."""
    rows = await conn.fetch(
        "select i.symbol, l.source_time from instruments i left join latest_quotes l using (symbol)"
    )
    return {row["symbol"]: row["source_time"] for row in rows}


async def insert(conn: Connection, new: Sequence[Batch]) -> None:
    """Append batches with their quotes and move each symbol's newest."""
    await conn.executemany(
        "insert into batches (number, market_time, quotes) values ($1, $2, $3)",
        [(batch.number, batch.market_time, len(batch.quotes)) for batch in new],
    )
    rows = [(b.number, q.symbol, q.bid, q.ask, q.source_time) for b in new for q in b.quotes]
    await sql.write(conn, INSERT_QUOTES, rows)
    newest = {row[1]: row for row in rows}  # by symbol; batches come in their order
    await sql.write(conn, UPSERT_LATEST, list(newest.values()))


async def count_dropped(conn: Connection, counts: dict[tuple[str, Dropped], int], at: datetime) -> None:
    """Add to the counters of quotes that were not taken, by symbol and reason."""
    if counts:
        symbols, reasons = zip(*sorted(counts), strict=True)
        numbers = [counts[key] for key in sorted(counts)]
        await conn.execute(COUNT_DROPPED, list(symbols), [reason.value for reason in reasons], numbers, at)
