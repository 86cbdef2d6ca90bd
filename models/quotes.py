"""Quotes in batches, the catalogue and the clocks, from which each process fills its quote cache."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

import asyncpg

from domain.bounds import Largest
from domain.instruments import Catalogue, Currency, Guard, GuardMode, Instrument, InstrumentKind, InstrumentStatus
from domain.quote_guard import QuoteFinding, Suspect, Watch
from domain.quotes import Batch, Dropped, Listing, Quote
from models import sql
from models.locks import AdvisoryLock
from models.sql import Connection

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
LISTED = """
select symbol, base_currency, quote_currency, price_precision, quantity_step, quantity_min, kind, contract_size, status,
  notional_min, array(select n.name from instrument_names n where n.symbol = i.symbol and n.name <> i.symbol),
  guard_mode, guard_move_pct, guard_move_seconds, guard_spread_pct, guard_frozen_seconds
from instruments i order by created_at, symbol
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
insert into latest_quotes (symbol, batch, bid, ask, source_time, unchanged_since, finding)
select symbol, batch, bid, ask, source_time, unchanged_since, finding
from {rows} as n (batch, symbol, bid, ask, source_time, unchanged_since, finding)
on conflict (symbol) do update
set batch = excluded.batch, bid = excluded.bid, ask = excluded.ask, source_time = excluded.source_time,
  unchanged_since = excluded.unchanged_since, finding = excluded.finding
""",
    (*QUOTES.values(), "timestamptz", "text"),
)
LISTINGS = """
select i.symbol, i.price_precision, l.bid, l.ask, l.source_time, l.unchanged_since, l.finding,
  s.bid, s.ask, s.source_time, s.source, s.finding
from instruments i left join latest_quotes l using (symbol) left join suspect_quotes s using (symbol)
"""
# The largest open position by account currency and symbol, for the check that a quote gives no figure out of range.
LARGEST = """
select a.currency, p.symbol, max(p.quantity), max(p.cost_basis)
from positions p join accounts a on a.id = p.account_id where p.status = 'OPEN' group by a.currency, p.symbol
"""
# The oldest batches, at least one, which with their quotes are about $2 rows. Excluded are batches that an account has
# yet to be marked through or a shard has yet to judge, and the newest, from which numbering continues.
FORGETTABLE = """
with oldest as (
  select number, recorded_at,
    coalesce(sum(quotes + 1) over (order by number rows between unbounded preceding and 1 preceding), 0) as before
  from (
    select number, recorded_at, quotes from batches
    where number > (select quotes_forgotten from retention) order by number limit $2) b)
select (select quotes_forgotten from retention) as after, max(number) as through from oldest
where before < $2 and recorded_at < clock_timestamp() - make_interval(days => $1)
  and number < (select max(number) from batches)
  and number <= (select min(through) from shards)
  and number <= coalesce((select min(marked_through) from balances where live), number)
"""
# The newest deleted quote of each symbol is kept as its standing quote, because it is the market of the next batches.
# No scan starts at the beginning of the table, where dead rows remain until a vacuum.
FORGET_QUOTES = """
with newest as (select symbol, max(batch) as batch from quotes where batch > $1 and batch <= $2 group by symbol),
older as (
  delete from quotes q using newest n
  where q.batch > $1 and q.batch <= $2 and q.symbol = n.symbol and q.batch < n.batch),
relieved as (
  delete from quotes q using standing_quotes s, newest n
  where s.symbol = n.symbol and q.batch = s.batch and q.symbol = s.symbol)
insert into standing_quotes (symbol, batch) select symbol, batch from newest
on conflict (symbol) do update set batch = excluded.batch
"""
# An unknown symbol gets a row of its own while there are few; later ones share the row of `OTHERS`. The caller holds
# the ingest lock, so no other transaction adds a row.
OTHERS = "*"
COUNT_DROPPED = """
with n as (
  select n.*, exists (select from instruments i where i.symbol = n.symbol)
    or exists (select from dropped_quotes d where d.symbol = n.symbol and d.reason = n.reason) as has_row
  from unnest($1::text[], $2::text[], $3::bigint[]) as n (symbol, reason, count)),
free as (select $5 - count(*) as rows from dropped_quotes),
named as (
  select case when has_row or row_number() over (partition by has_row order by symbol, reason) <= free.rows
    then symbol else $6 end as symbol, reason, count
  from n cross join free)
insert into dropped_quotes (symbol, reason, count, last_at)
select symbol, reason, sum(count), $4 from named group by symbol, reason
on conflict (symbol, reason) do update
set count = dropped_quotes.count + excluded.count, last_at = excluded.last_at
"""


class Clocks(NamedTuple):
    """Clock mode, database time, catalogue version, and number and market time of the newest batch (0: none)."""

    mode: str
    real_time: datetime
    catalogue_version: int
    number: int
    market_time: datetime | None


async def read_clocks(conn: Connection) -> Clocks:
    """Read the clocks."""
    row = await conn.fetchrow(NOW)
    assert row, "the migration inserts the desk's row"
    return Clocks(*row)


def _quote(row: asyncpg.Record) -> Quote:
    return Quote(row["symbol"], row["bid"], row["ask"], row["source_time"])


async def read_batches(conn: Connection, after: int, through: int) -> list[Batch]:
    """Return the batches with after < number <= through, in order, with their quotes."""
    by_number: dict[int, tuple[datetime, list[Quote]]] = {}
    for row in await conn.fetch(AFTER, after, through):
        _, quotes = by_number.setdefault(row["number"], (row["market_time"], []))
        if row["symbol"] is not None:
            quotes.append(_quote(row))
    return [Batch(number, at, tuple(quotes)) for number, (at, quotes) in by_number.items()]


async def read_market(conn: Connection, as_of: int) -> dict[str, tuple[int, Quote]]:
    """Return the newest quote of every symbol at a batch, each with the number of its own batch."""
    return {row["symbol"]: (row["batch"], _quote(row)) for row in await conn.fetch(AS_OF, as_of)}


async def read_catalogue(conn: Connection) -> Catalogue:
    """Return every instrument and currency, oldest first, so that a new one does not change an existing conversion."""
    instruments = await conn.fetch(LISTED)
    currencies = await conn.fetch("select code, minor_units, par from currencies")
    return Catalogue(
        {row["symbol"]: _instrument(*row) for row in instruments}, {row["code"]: Currency(*row) for row in currencies}
    )


def _instrument(
    symbol: str,
    base: str | None,
    quote: str,
    precision: int,
    step: Decimal,
    least: Decimal,
    kind: str,
    contract_size: Decimal,
    status: str,
    notional_min: Decimal,
    aliases: list[str],
    mode: str,
    *guard: Any,
) -> Instrument:
    return Instrument(
        symbol, base, quote, precision, step, least, InstrumentKind(kind), contract_size, tuple(sorted(aliases)),
        InstrumentStatus(status), notional_min, Guard(GuardMode(mode), *guard),
    )  # fmt: skip


async def lock_ingest(conn: Connection) -> None:
    """Take the ingest lock: one transaction at a time numbers batches, so that numbers follow the order of commits."""
    await conn.execute("select pg_advisory_xact_lock($1)", AdvisoryLock.INGEST)


async def read_listings(conn: Connection) -> tuple[dict[str, Listing], dict[str, Watch]]:
    """Return by symbol its listing (price precision and newest source time), and the state of its quote guard.

    The caller holds the ingest lock.
    """
    listed: dict[str, Listing] = {}
    watches: dict[str, Watch] = {}
    for symbol, precision, bid, ask, at, since, finding, *suspect in await conn.fetch(LISTINGS):
        listed[symbol] = Listing(precision, at)
        last = None if at is None else Quote(symbol, bid, ask, at)
        watches[symbol] = Watch(last, since, finding and QuoteFinding(finding), _suspect(symbol, *suspect))
    return listed, watches


def _suspect(symbol: str, bid: Decimal | None, ask: Decimal, at: datetime, source: str, finding: str) -> Suspect | None:
    return None if bid is None else Suspect(Quote(symbol, bid, ask, at), source, QuoteFinding(finding))


async def insert_batches(
    conn: Connection, new: Sequence[Batch], watches: Mapping[str, Watch] = MappingProxyType({})
) -> None:
    """Append batches with their quotes, and update the newest quote and the guard state of each symbol."""
    await conn.executemany(
        "insert into batches (number, market_time, quotes) values ($1, $2, $3)",
        [(batch.number, batch.market_time, len(batch.quotes)) for batch in new],
    )
    rows = [(b.number, q.symbol, q.bid, q.ask, q.source_time) for b in new for q in b.quotes]
    await sql.write(conn, INSERT_QUOTES, rows)
    newest = {row[1]: row for row in rows}  # by symbol; batches are in order
    latest = [
        (*row, watch.unchanged_since, watch.finding and watch.finding.value)
        for row in newest.values()
        for watch in [watches[row[1]]]
    ]
    await sql.write(conn, UPSERT_LATEST, latest)


async def largest_positions(conn: Connection) -> list[Largest]:
    """Return the largest open positions by account currency and symbol."""
    return [Largest(*row) for row in await conn.fetch(LARGEST)]


async def unjudged_batches(conn: Connection) -> int:
    """Return the number of batches that some shard has yet to judge."""
    number: int = await conn.fetchval(
        """select coalesce((select max(number) from batches), 0) - coalesce((select min(through) from shards),
          (select max(number) from batches), 0)"""
    )
    return max(0, number)


async def count_dropped(
    conn: Connection, counts: Mapping[tuple[str, Dropped], int], at: datetime, rows_max: int
) -> None:
    """Add to the counters of dropped quotes, by symbol and reason, which have about `rows_max` rows at most."""
    if counts:
        symbols, reasons = zip(*sorted(counts), strict=True)
        numbers = [counts[key] for key in sorted(counts)]
        await conn.execute(
            COUNT_DROPPED, list(symbols), [reason.value for reason in reasons], numbers, at, rows_max, OTHERS
        )


async def delete_old_batches(conn: Connection, days: int, most: int) -> int:
    """Delete the oldest batches recorded more than `days` ago by the real clock, with their quotes; return how many.

    At most about `most` rows are deleted. Each symbol's newest quote at the last deleted batch is kept, and every batch
    that a live account has yet to be marked through. The caller holds the retention lock.
    """
    after, through = await conn.fetchrow(FORGETTABLE, days, most)
    if through is None:
        return 0
    await conn.execute(FORGET_QUOTES, after, through)
    await conn.execute("update retention set quotes_forgotten = $1", through)
    done: str = await conn.execute("delete from batches where number > $1 and number <= $2", after, through)
    return int(done.rsplit(" ", 1)[1])
