"""Purchases: the sale and how far its activation has come."""

from datetime import datetime
from decimal import Decimal

import asyncpg

from domain.lifecycles import PurchaseStatus
from models.sql import Connection


async def lock_program(conn: Connection, program_id: int) -> asyncpg.Record | None:
    """brand and status of a program that cannot be edited until the sale has committed."""
    return await conn.fetchrow("select id, brand, status from programs where id = $1 for share", program_id)


async def insert(
    conn: Connection,
    *,
    brand: str,
    client: str,
    wallet_id: int,
    program_id: int,
    terms_hash: str,
    price: Decimal,
    currency: str,
    at: datetime,
) -> int:
    """A PENDING purchase."""
    purchase_id: int = await conn.fetchval(
        """insert into purchases (brand, client, wallet_id, program_id, terms_hash, price, currency, status,
          created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) returning id""",
        brand,
        client,
        wallet_id,
        program_id,
        terms_hash,
        price,
        currency,
        PurchaseStatus.PENDING,
        at,
    )
    return purchase_id


async def move(
    conn: Connection, purchase_id: int, status: PurchaseStatus, at: datetime, reason: str | None = None
) -> None:
    """Set the status; the caller holds the challenge's lock and has asked the life cycle."""
    await conn.execute(
        """update purchases set status = $2, updated_at = $3, failure_reason = coalesce($4, failure_reason)
        where id = $1""",
        purchase_id,
        status,
        at,
        reason,
    )
