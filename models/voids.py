"""Void quotes: spans of source times of a symbol that are declared wrong, and the times at which they were prices."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

import asyncpg

from domain.quotes import Batch, Quote
from domain.voids import Span
from models.sql import Connection

# A symbol's source times never decrease from batch to batch, so its quotes in a span of time are consecutive. The last
# of them is the symbol's price until its next quote.
REACH = """
select r.quotes, r.first_batch, r.last_batch, f.market_time as first_at, n.market_time as until
from (
  select count(*) as quotes, min(batch) as first_batch, max(batch) as last_batch
  from quotes where symbol = $1 and source_time >= $2 and source_time < $3) r
join batches f on f.number = r.first_batch
left join lateral (
  select b.market_time from quotes q join batches b on b.number = q.batch
  where q.symbol = $1 and q.batch > r.last_batch order by q.batch limit 1) n on true
"""
# A quote that was ingested later is not void, even if its source time lies in the span.
STANDING = """
select v.symbol, v.source_from, least(v.source_before, l.source_time + interval '1 microsecond') as source_before,
  coalesce(f.market_time, v.source_from) as first_at, n.market_time as until
from quote_voids v
left join quotes l on l.batch = v.last_batch and l.symbol = v.symbol
left join batches f on f.number = v.first_batch
left join lateral (
  select b.market_time from quotes q join batches b on b.number = q.batch
  where q.symbol = v.symbol and q.batch > v.last_batch order by q.batch limit 1) n on true
where v.first_batch <= $1 order by v.id
"""
IS_VOID = """exists (
  select from quote_voids v
  where v.symbol = q.symbol and q.batch between v.first_batch and v.last_batch
    and q.source_time >= v.source_from and q.source_time < v.source_before)"""
GOOD_AS_OF = f"""
select s.symbol, q.bid, q.ask, q.source_time
from unnest($1::text[]) as s (symbol)
cross join lateral (
  select bid, ask, source_time from quotes q
  where q.symbol = s.symbol and q.batch <= $2 and not {IS_VOID} order by q.batch desc limit 1) q
"""
GOOD_AFTER = f"""
select q.batch, b.market_time, q.symbol, q.bid, q.ask, q.source_time
from (
  select * from quotes q
  where q.symbol = any($1::text[]) and q.batch > $2 and q.batch <= $3 and not {IS_VOID}
  order by q.batch, q.symbol limit $4) q
join batches b on b.number = q.batch
order by q.batch, q.symbol
"""


class VoidReach(NamedTuple):
    """The quotes of a span: their number, and the batches and market times between which one of them was the newest."""

    quotes: int
    first_batch: int
    last_batch: int
    first_at: datetime
    until: datetime | None  # None while the last of them is the newest quote of the symbol


class StandingVoid(NamedTuple):
    """A void span, and the market times between which one of its quotes was the newest of the symbol."""

    span: Span
    first_at: datetime
    until: datetime | None  # None while one of them is the newest quote


async def void_reach(conn: Connection, span: Span) -> VoidReach | None:
    """Return the reach of the quotes of a span; None if there are no quotes."""
    row = await conn.fetchrow(REACH, span.symbol, span.source_from, span.source_before)
    return VoidReach(*row) if row else None


async def find_void(conn: Connection, span: Span) -> int | None:
    """Return the id of the void of exactly this span; None if there is none."""
    void_id: int | None = await conn.fetchval(
        "select id from quote_voids where symbol = $1 and source_from = $2 and source_before = $3",
        span.symbol,
        span.source_from,
        span.source_before,
    )
    return void_id


async def insert_void(conn: Connection, span: Span, reach: VoidReach, reason: str, actor: str) -> int | None:
    """Insert a void and return its id; None if another transaction has inserted the same span."""
    void_id: int | None = await conn.fetchval(
        """insert into quote_voids (symbol, source_from, source_before, first_batch, last_batch, quotes, reason, actor)
        values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning id""",
        span.symbol,
        span.source_from,
        span.source_before,
        reach.first_batch,
        reach.last_batch,
        reach.quotes,
        reason,
        actor,
    )
    return void_id


async def overlaps_void(conn: Connection, span: Span) -> bool:
    """Return whether a void overlaps the span."""
    exists: bool = await conn.fetchval(
        """select exists (
          select from quote_voids where symbol = $1 and source_from < $3 and source_before > $2)""",
        span.symbol,
        span.source_from,
        span.source_before,
    )
    return exists


async def standing_voids(conn: Connection, batch: int) -> list[StandingVoid]:
    """Return the void spans that have a quote of this batch or an earlier one."""
    return [StandingVoid(Span(*row[:3]), *row[3:]) for row in await conn.fetch(STANDING, batch)]


async def had_position(conn: Connection, account_id: int, symbols: Collection[str], void: StandingVoid) -> bool:
    """Return whether the account held a position in one of the symbols while a quote of the void was the newest."""
    exists: bool = await conn.fetchval(
        """select exists (
          select from positions where account_id = $1 and symbol = any($2::text[])
            and opened_at < coalesce($4::timestamptz, 'infinity') and coalesce(closed_at, 'infinity') >= $3)""",
        account_id,
        list(symbols),
        void.first_at,
        void.until,
    )
    return exists


def _quote(row: asyncpg.Record) -> Quote:
    return Quote(row["symbol"], row["bid"], row["ask"], row["source_time"])


async def good_market(conn: Connection, symbols: Collection[str], as_of: int) -> dict[str, Quote]:
    """Return the newest quote of each symbol at a batch, without void quotes."""
    rows = await conn.fetch(GOOD_AS_OF, sorted(symbols), as_of)
    return {row["symbol"]: _quote(row) for row in rows}


async def good_batches(conn: Connection, symbols: Collection[str], after: int, through: int, most: int) -> list[Batch]:
    """Return the next batches with after < number <= through, with about `most` quotes of the symbols.

    A batch has only its quotes of these symbols that are not void, and all of them. Batches without any are left out.
    """
    rows = await conn.fetch(GOOD_AFTER, sorted(symbols), after, through, most + len(symbols))
    if len(rows) == most + len(symbols):
        cut = rows[-1]["batch"]
        rows = [row for row in rows if row["batch"] < cut]
    by_number: dict[int, tuple[datetime, list[Quote]]] = {}
    for row in rows:
        by_number.setdefault(row["batch"], (row["market_time"], []))[1].append(_quote(row))
    return [Batch(number, at, tuple(quotes)) for number, (at, quotes) in by_number.items()]


async def has_quotes_since(conn: Connection, batch: int) -> bool:
    """Return whether the quotes of this batch and of all later batches are still stored."""
    is_stored: bool = await conn.fetchval("select $1 > (select quotes_forgotten from retention)", batch)
    return is_stored
