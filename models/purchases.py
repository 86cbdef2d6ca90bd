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
    wallet_id: int | None,
    program_id: int,
    terms_hash: str,
    price: Decimal,
    currency: str,
    at: datetime,
    payment_reference: str | None = None,
    expires_at: datetime | None = None,
) -> int:
    """Write a PENDING purchase: paid from a wallet, or outside under a reference until it expires."""
    purchase_id: int = await conn.fetchval(
        """insert into purchases (brand, client, wallet_id, program_id, terms_hash, price, currency, status,
          created_at, updated_at, payment_reference, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11) returning id""",
        brand,
        client,
        wallet_id,
        program_id,
        terms_hash,
        price,
        currency,
        PurchaseStatus.PENDING,
        at,
        payment_reference,
        expires_at,
    )
    return purchase_id


async def count_unpaid(conn: Connection, brand: str, client: str) -> int:
    """Count the client's purchases that wait for a payment from outside."""
    unpaid: int = await conn.fetchval(
        f"""select count(*) from purchases
        where brand = $1 and client = $2 and payment_reference is not null and status = {PurchaseStatus.PENDING:d}""",
        brand,
        client,
    )
    return unpaid


async def by_reference(conn: Connection, reference: str) -> asyncpg.Record | None:
    """Return id, brand and program_id of the purchase that is paid under a reference."""
    return await conn.fetchrow("select id, brand, program_id from purchases where payment_reference = $1", reference)


async def lock_expired(conn: Connection, at: datetime, most: int) -> list[int]:
    """Lock unpaid purchases whose time is over, except those that a payment is just reaching."""
    found = await conn.fetch(
        f"""select id from purchases
        where status = {PurchaseStatus.PENDING:d} and payment_reference is not null and expires_at <= $1
        order by expires_at limit $2 for no key update skip locked""",
        at,
        most,
    )
    return [row["id"] for row in found]


async def fail_all(conn: Connection, ids: Sequence[int], reason: str, at: datetime) -> None:
    """Set locked purchases FAILED."""
    await conn.execute(
        "update purchases set status = $2, failure_reason = $3, updated_at = $4 where id = any($1::bigint[])",
        list(ids),
        PurchaseStatus.FAILED,
        reason,
        at,
    )


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
    """Return brand and program_id of a purchase and the ids of its challenges."""
    return await conn.fetchrow(
        """select p.brand, p.program_id,
          array(select c.id from challenges c where c.purchase_id = p.id order by c.id) as challenges
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


async def note_fee_returned(conn: Connection, purchase_id: int, payout_id: int) -> None:
    """Write down with which payout the fee came back."""
    await conn.execute("update purchases set fee_returned_with = $2 where id = $1", purchase_id, payout_id)


async def delete(conn: Connection, purchase_id: int) -> None:
    """Remove the row; a challenge it had stays, without a purchase."""
    await conn.execute("delete from purchases where id = $1", purchase_id)
