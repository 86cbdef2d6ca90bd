"""Payouts: a funded phase's profit on its way to the client."""

from datetime import datetime
from decimal import Decimal

import asyncpg

from domain.lifecycles import PayoutStatus
from models.sql import Connection


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
    at: datetime,
) -> int:
    payout_id: int = await conn.fetchval(
        """insert into payouts (brand, challenge_id, phase_id, account_id, wallet_id, status, currency, profit, split,
          amount, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning id""",
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
        at,
    )
    return payout_id


async def lock(conn: Connection, payout_id: int) -> asyncpg.Record:
    row = await conn.fetchrow("select * from payouts where id = $1 for no key update", payout_id)
    assert row, "a job names a payout that exists"
    return row


async def mark_paid(conn: Connection, payout_id: int, at: datetime) -> None:
    await conn.execute(
        "update payouts set status = $2, paid_at = $3 where id = $1", payout_id, PayoutStatus.PAID.value, at
    )
