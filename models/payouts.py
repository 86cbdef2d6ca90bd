"""Payouts: a funded phase's profit on its way to the client."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import asyncpg

from domain.lifecycles import PayoutStatus
from domain.payouts import Cycle
from models.sql import Connection

# The day of a payout belongs to what was before it; one that was turned down never was.
CYCLES = """
select n.account_id, o.open, l.day, d.traded, d.profitable
from unnest($1::bigint[], $2::numeric[]) as n (account_id, profit_above)
join challenge_phases p on p.account_id = n.account_id
cross join lateral (
  select count(*) as open from payouts
  where challenge_id = p.challenge_id and status in ('REQUESTED', 'APPROVED')) o
cross join lateral (
  select coalesce(max(day), 0) as day from payouts
  where phase_id = p.id and status in ('REQUESTED', 'APPROVED', 'PAID')) l
cross join lateral (
  select count(*) filter (where traded) as traded,
    count(*) filter (where balance - start_balance > n.profit_above) as profitable
  from days where phase_id = p.id and closed and number > l.day) d
"""


async def cycles(conn: Connection, accounts: Mapping[int, Decimal]) -> dict[int, Cycle]:
    """By account: what has passed since its phase's last payout; a day's profit counts above the one given."""
    found = await conn.fetch(CYCLES, list(accounts), list(accounts.values()))
    return {r["account_id"]: Cycle(r["open"], r["day"], r["traded"], r["profitable"]) for r in found}


async def insert(
    conn: Connection,
    *,
    brand: str,
    challenge_id: int,
    phase_id: int,
    account_id: int,
    wallet_id: int,
    status: PayoutStatus,
    currency: str,
    profit: Decimal,
    split: Decimal,
    amount: Decimal,
    day: int,
    at: datetime,
) -> int:
    """A payout REQUESTED, or already APPROVED, as of `at`; answers its number."""
    payout_id: int = await conn.fetchval(
        """insert into payouts (brand, challenge_id, phase_id, account_id, wallet_id, status, currency, profit, split,
          amount, day, created_at, decided_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) returning id""",
        brand,
        challenge_id,
        phase_id,
        account_id,
        wallet_id,
        status.value,
        currency,
        profit,
        split,
        amount,
        day,
        at,
        None if status is PayoutStatus.REQUESTED else at,
    )
    return payout_id


async def owner_of_challenge(conn: Connection, challenge_id: int) -> asyncpg.Record | None:
    """brand and client of a challenge."""
    return await conn.fetchrow("select brand, client from challenges where id = $1", challenge_id)


async def owner(conn: Connection, payout_id: int) -> asyncpg.Record | None:
    """brand, client and challenge_id of a payout."""
    return await conn.fetchrow(
        """select p.brand, w.client, p.challenge_id from payouts p join wallets w on w.id = p.wallet_id
        where p.id = $1""",
        payout_id,
    )


async def lock(conn: Connection, payout_id: int) -> asyncpg.Record:
    """The payout's row, held until the transaction ends."""
    row = await conn.fetchrow("select * from payouts where id = $1 for no key update", payout_id)
    assert row, "who names a payout has seen that it exists"
    return row


async def lock_open(conn: Connection, challenge_id: int) -> asyncpg.Record | None:
    """The challenge's payout that is not paid yet, held until the transaction ends."""
    return await conn.fetchrow(
        """select * from payouts where challenge_id = $1 and status in ('REQUESTED', 'APPROVED')
        for no key update""",
        challenge_id,
    )


async def decide(
    conn: Connection, payout_id: int, status: PayoutStatus, at: datetime, reason: str | None = None
) -> None:
    """Move a REQUESTED payout on."""
    await conn.execute(
        "update payouts set status = $2, decided_at = $3, reason = $4 where id = $1",
        payout_id,
        status.value,
        at,
        reason,
    )


async def extend(conn: Connection, payout_id: int, profit: Decimal, amount: Decimal) -> None:
    """Let an open payout be of more."""
    await conn.execute("update payouts set profit = $2, amount = $3 where id = $1", payout_id, profit, amount)


async def mark_paid(conn: Connection, payout_id: int, at: datetime) -> None:
    await conn.execute(
        "update payouts set status = $2, paid_at = $3 where id = $1", payout_id, PayoutStatus.PAID.value, at
    )
