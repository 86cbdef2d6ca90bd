"""Payouts of the profit of funded phases."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import asyncpg

from domain.lifecycles import PayoutStatus
from domain.payouts import Cycle
from models.sql import Connection

# The day of a payout counts as before it, except for the profit made later on that day. Rejected payouts do not count.
# Only days before the running day (`today`) are read, because those have ended. A run that continues after a
# reinstatement has the days of the failed run, and the payouts of that run count.
CYCLES = """
select n.account_id, o.open, coalesce(l.day, 0) as day, coalesce(l.day_profit, 0) as day_profit,
  coalesce(d.traded, 0) as traded, coalesce(d.profitable, 0) as profitable,
  coalesce(d.profit, 0) as profit, coalesce(d.best, 0) as best
from unnest($1::bigint[], $2::integer[], $3::numeric[]) as n (account_id, today, profit_above)
join challenge_phases p on p.account_id = n.account_id
cross join lateral (
  select count(*) as open from payouts
  where challenge_id = p.challenge_id and status in ('REQUESTED', 'APPROVED')) o
left join lateral (
  select o.day, o.day_profit from payouts o join challenge_phases r on r.id = o.phase_id
  where o.challenge_id = p.challenge_id and r.phase_index = p.phase_index
    and o.status in ('REQUESTED', 'APPROVED', 'PAID')
  order by o.id desc limit 1) l on true
cross join lateral (
  select count(*) filter (where traded and is_after) as traded,
    count(*) filter (where gain > n.profit_above and is_after) as profitable,
    sum(gain) as profit, greatest(max(gain), 0) as best
  from (
    select traded, number > coalesce(l.day, 0) as is_after,
      balance - start_balance - case when number = l.day then l.day_profit else 0 end as gain
    from days where phase_id = p.id and number >= coalesce(l.day, 0) and number < n.today) ended) d
"""


async def payout_cycles(conn: Connection, accounts: Mapping[int, tuple[int, Decimal]]) -> dict[int, Cycle]:
    """Return by account the payout cycle: days and profit since the last payout of its phase.

    `accounts`: by account the number of its running day, and the profit above which a day counts as profitable.
    """
    days, profits = [day for day, _ in accounts.values()], [profit for _, profit in accounts.values()]
    rows = await conn.fetch(CYCLES, list(accounts), days, profits)
    return {r["account_id"]: _cycle(r) for r in rows}


def _cycle(row: asyncpg.Record) -> Cycle:
    return Cycle(
        open=row["open"],
        day=row["day"],
        days_traded=row["traded"],
        days_profitable=row["profitable"],
        day_profit=row["day_profit"],
        profit=row["profit"],
        best_day_profit=row["best"],
    )


async def insert_payout(
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
    day_profit: Decimal,
    at: datetime,
) -> int:
    """Insert a payout, REQUESTED or already APPROVED at `at`, and return its id."""
    payout_id: int = await conn.fetchval(
        """insert into payouts (brand, challenge_id, phase_id, account_id, wallet_id, status, currency, profit, split,
          amount, day, day_profit, created_at, decided_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) returning id""",
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
        day_profit,
        at,
        None if status is PayoutStatus.REQUESTED else at,
    )
    return payout_id


async def owner_of_challenge(conn: Connection, challenge_id: int) -> asyncpg.Record | None:
    """Return brand and client of a challenge."""
    return await conn.fetchrow("select brand, client from challenges where id = $1", challenge_id)


async def owner_of_payout(conn: Connection, payout_id: int) -> asyncpg.Record | None:
    """Return brand, client and challenge_id of a payout."""
    return await conn.fetchrow(
        """select p.brand, w.client, p.challenge_id from payouts p join wallets w on w.id = p.wallet_id
        where p.id = $1""",
        payout_id,
    )


async def lock_payout(conn: Connection, payout_id: int) -> asyncpg.Record:
    """Lock and return a payout that exists."""
    row = await conn.fetchrow("select * from payouts where id = $1 for no key update", payout_id)
    assert row, "the caller has checked that the payout exists"
    return row


async def lock_open_payout(conn: Connection, challenge_id: int) -> asyncpg.Record | None:
    """Lock and return the open payout of a challenge, if there is one."""
    return await conn.fetchrow(
        """select * from payouts where challenge_id = $1 and status in ('REQUESTED', 'APPROVED')
        for no key update""",
        challenge_id,
    )


async def decide_payout(
    conn: Connection, payout_id: int, status: PayoutStatus, at: datetime, reason: str | None = None
) -> None:
    """Approve, reject or cancel a payout."""
    await conn.execute(
        "update payouts set status = $2, decided_at = $3, reason = $4 where id = $1",
        payout_id,
        status.value,
        at,
        reason,
    )


async def raise_payout(conn: Connection, payout_id: int, profit: Decimal, amount: Decimal) -> None:
    """Raise the amount of an open payout."""
    await conn.execute("update payouts set profit = $2, amount = $3 where id = $1", payout_id, profit, amount)


async def mark_paid(conn: Connection, payout_id: int, at: datetime) -> None:
    """Set a payout PAID."""
    await conn.execute(
        "update payouts set status = $2, paid_at = $3 where id = $1", payout_id, PayoutStatus.PAID.value, at
    )
