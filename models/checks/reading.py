"""Reads of `verify`, which computes the books again: accounts in pages, long tables through cursors."""

from collections.abc import AsyncIterator, Iterable, Sequence

import asyncpg

from domain.orders import Fill
from domain.positions import Position
from domain.quotes import Quote
from models.fills import FILL, POSITION, fill_from_row, position_from_row
from models.sql import Connection

Rows = list[asyncpg.Record]

ROWS_AT_ONCE = 2_000
ROWS_MAX = 1_000  # most violations of one check
_LEDGER = """
select account_id, seq, kind, amount, balance_after, market_time, batch, facts, hash
from ledger where account_id = any($1::bigint[]) order by account_id, seq
"""
_FILLS = f"select {FILL} from fills where account_id = any($1::bigint[]) order by account_id, seq"
_FINDINGS = """
select b.*, p.phase_index, t.body as terms, a.policy, a.starting_balance,
  l.balance_after as ledger_balance, l.facts ->> 'equity' as ledger_equity
from breaches b
join challenge_phases p on p.id = b.phase_id
join accounts a on a.id = b.account_id
join terms t on t.hash = b.terms_hash
left join ledger l on l.account_id = b.account_id and l.seq = b.ledger_seq
order by b.id
"""
_COUNTS = """
select (select count(*) from accounts) as accounts, (select count(*) from ledger) as ledger_rows,
  (select count(*) from fills) as fills, (select count(*) from challenges) as challenges,
  (select count(*) from transfers) / 2 as transfers, (select count(*) from batches) as batches,
  (select quotes_forgotten from retention) as forgotten_batches, (select count(*) from events) as events
"""


async def first_rows(conn: Connection, statement: str) -> Rows:
    """Return the first ROWS_MAX rows of a statement."""
    cursor = await conn.cursor(statement)
    rows: Rows = await cursor.fetch(ROWS_MAX)
    return rows


async def row_counts(conn: Connection) -> asyncpg.Record:
    """Return the number of rows to check, by table."""
    row = await conn.fetchrow(_COUNTS)
    assert row, "the statement returns one row"
    return row


async def next_account_ids(conn: Connection, after: int, most: int) -> list[int]:
    """Return the next account ids after an id."""
    rows = await conn.fetch("select account_id from balances where account_id > $1 order by 1 limit $2", after, most)
    return [row["account_id"] for row in rows]


async def ledger_heads(conn: Connection, ids: Sequence[int]) -> dict[int, asyncpg.Record]:
    """Return by account its seq, head and cash."""
    rows = await conn.fetch(
        "select account_id, seq, head, cash from balances where account_id = any($1::bigint[])", ids
    )
    return {row["account_id"]: row for row in rows}


async def positions_by_account(conn: Connection, ids: Sequence[int]) -> dict[int, dict[int, Position]]:
    """Return every position of the accounts, open or closed, by account and seq."""
    by_account: dict[int, dict[int, Position]] = {account: {} for account in ids}
    for row in await conn.fetch(f"select {POSITION} from positions where account_id = any($1::bigint[])", ids):
        by_account[row["account_id"]][row["seq"]] = position_from_row(row)
    return by_account


async def corrected_accounts(conn: Connection, ids: Sequence[int]) -> set[int]:
    """Return those of the accounts that have a correction."""
    rows = await conn.fetch(
        "select distinct account_id from ledger where account_id = any($1::bigint[]) and kind = 'correction'", ids
    )
    return {row["account_id"] for row in rows}


def iterate_ledger(conn: Connection, ids: Sequence[int]) -> AsyncIterator[asyncpg.Record]:
    """Iterate over the ledgers of the accounts, each from its first row."""
    return aiter(conn.cursor(_LEDGER, ids, prefetch=ROWS_AT_ONCE))


async def iterate_fills(conn: Connection, ids: Sequence[int]) -> AsyncIterator[Fill]:
    """Iterate over the fills of the accounts, booked and void, in order of account and seq."""
    async for row in conn.cursor(_FILLS, ids, prefetch=ROWS_AT_ONCE):
        yield fill_from_row(row)


def iterate_audit(conn: Connection) -> AsyncIterator[asyncpg.Record]:
    """Iterate over the audit, chain by chain, in order."""
    return aiter(conn.cursor("select * from audit order by chain, seq", prefetch=ROWS_AT_ONCE))


async def audit_heads(conn: Connection) -> dict[str, tuple[int, bytes]]:
    """Return by chain the seq and hash of its newest row according to its head."""
    return {row["chain"]: (row["seq"], row["head"]) for row in await conn.fetch("select * from audit_heads")}


def iterate_breaches(conn: Connection) -> AsyncIterator[asyncpg.Record]:
    """Iterate over all breaches, with terms, policy and ledger row."""
    return aiter(conn.cursor(_FINDINGS, prefetch=ROWS_AT_ONCE))


async def quotes_at(conn: Connection, pairs: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Quote]:
    """Return by (symbol, batch) the newest quote of the symbol at that batch, if there is one."""
    keys = sorted(set(pairs))
    rows = await conn.fetch(
        """select w.symbol, w.batch, q.bid, q.ask, q.source_time
        from unnest($1::text[], $2::bigint[]) as w (symbol, batch)
        cross join lateral (
          select bid, ask, source_time from quotes
          where symbol = w.symbol and batch <= w.batch order by batch desc limit 1) q""",
        [symbol for symbol, _ in keys],
        [batch for _, batch in keys],
    )
    return {(r["symbol"], r["batch"]): Quote(r["symbol"], r["bid"], r["ask"], r["source_time"]) for r in rows}
