"""Purchases: the sale and how far its activation has come."""

from collections.abc import Sequence
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
    conn: Connection,
    purchase_id: int,
    status: PurchaseStatus,
    at: datetime,
    *,
    reason: str | None = None,
    paid_from: str | None = None,
) -> None:
    """Set the status; the caller holds the challenge's lock and has asked the life cycle.

    `reason` why it failed, `paid_from` WALLET or OUTSIDE when it is paid; None leaves what is there.
    """
    await conn.execute(
        """update purchases set status = $2, updated_at = $3, failure_reason = coalesce($4, failure_reason),
          paid_from = coalesce($5, paid_from) where id = $1""",
        purchase_id,
        status,
        at,
        reason,
        paid_from,
    )


async def find(conn: Connection, purchase_id: int) -> asyncpg.Record | None:
    """brand of a purchase and the ids of its challenges, which are those it was made with."""
    return await conn.fetchrow(
        """select p.brand, array(select c.id from challenges c where c.purchase_id = p.id order by c.id) as challenges
        from purchases p where p.id = $1""",
        purchase_id,
    )


async def lock(conn: Connection, purchase_id: int) -> asyncpg.Record | None:
    """The purchase's row, locked after its challenge."""
    return await conn.fetchrow("select * from purchases where id = $1 for no key update", purchase_id)


async def note(
    conn: Connection,
    purchase_id: int,
    *,
    external_reference: str | None,
    comment: str | None,
    tags: Sequence[str],
    at: datetime,
) -> None:
    """Write the firm's own notes."""
    await conn.execute(
        "update purchases set external_reference = $2, comment = $3, tags = $4, updated_at = $5 where id = $1",
        purchase_id,
        external_reference,
        comment,
        list(tags),
        at,
    )


async def delete(conn: Connection, purchase_id: int) -> None:
    """Remove the row; a challenge it had stays, without a purchase."""
    await conn.execute("delete from purchases where id = $1", purchase_id)
