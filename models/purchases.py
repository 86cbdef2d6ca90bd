"""Purchases and their status."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg

from domain.lifecycles import ChallengeStatus, PurchaseStatus
from models.sql import Connection
from models.tables.purchases import Purchase


async def lock_program(conn: Connection, program_id: int) -> asyncpg.Record | None:
    """Lock a program against edits and return its id, brand and status."""
    return await conn.fetchrow("select id, brand, status from programs where id = $1 for share", program_id)


class OpenCounts(NamedTuple):
    """The number of a client's open sales (open challenges and unpaid purchases): all, of one program, unpaid."""

    client: int
    program: int
    unpaid: int


async def count_open(conn: Connection, brand: str, client: str, program_id: int) -> OpenCounts:
    """Count the open sales of a client. A purchase that waits for an external payment has no challenge yet."""
    row = await conn.fetchrow(
        f"""select count(*) as client, count(*) filter (where program_id = $3) as program,
          count(*) filter (where unpaid) as unpaid
        from (
          select program_id, false as unpaid from challenges where brand = $1 and client = $2
            and status in ({ChallengeStatus.PENDING:d}, {ChallengeStatus.ACTIVE:d})
          union all
          select program_id, true from purchases where brand = $1 and client = $2
            and status = {PurchaseStatus.PENDING:d} and payment_reference is not null) open""",
        brand,
        client,
        program_id,
    )
    return OpenCounts(**row)


async def lock_expired(conn: Connection, at: datetime, most: int) -> list[int]:
    """Lock and return at most `most` unpaid purchases that have expired; skip those that a payment has locked."""
    rows = await conn.fetch(
        f"""select id from purchases
        where status = {PurchaseStatus.PENDING:d} and payment_reference is not null and expires_at <= $1
        order by expires_at limit $2 for no key update skip locked""",
        at,
        most,
    )
    return [row["id"] for row in rows]


async def fail_purchases(conn: Connection, ids: Sequence[int], reason: str, at: datetime) -> None:
    """Set locked purchases FAILED, with a reason that the client may see."""
    await conn.execute(
        """update purchases set status = $2, failure_reason = $3, failure_shown = $3, updated_at = $4
        where id = any($1::bigint[])""",
        list(ids),
        PurchaseStatus.FAILED,
        reason,
        at,
    )


async def set_purchase_status(
    conn: Connection,
    purchase_id: int,
    status: PurchaseStatus,
    at: datetime,
    *,
    paid_from: str | None = None,
) -> None:
    """Set the status. The caller holds the lock of the challenge and has checked the life cycle.

    `paid_from`: WALLET or OUTSIDE once it is paid; None keeps the stored value.
    """
    await conn.execute(
        "update purchases set status = $2, updated_at = $3, paid_from = coalesce($4, paid_from) where id = $1",
        purchase_id,
        status,
        at,
        paid_from,
    )


async def fail_purchase(
    conn: Connection, purchase_id: int, status: PurchaseStatus, at: datetime, *, reason: str, shown: str
) -> None:
    """Set the status FAILED, with the reason for the firm and the reason `shown` to the client.

    The caller holds the lock of the challenge and has checked the life cycle.
    """
    await conn.execute(
        "update purchases set status = $2, updated_at = $3, failure_reason = $4, failure_shown = $5 where id = $1",
        purchase_id,
        status,
        at,
        reason,
        shown,
    )


async def read_purchase(conn: Connection, purchase_id: int) -> asyncpg.Record | None:
    """Return brand, program_id and the ids of the challenges of a purchase."""
    return await conn.fetchrow(
        """select p.brand, p.program_id,
          array(select c.id from challenges c where c.purchase_id = p.id order by c.id) as challenges
        from purchases p where p.id = $1""",
        purchase_id,
    )


async def lock_purchase(purchase_id: int) -> Purchase | None:
    """Lock and return the purchase, after its challenge, in the transaction of the unit of work."""
    return await Purchase.filter(id=purchase_id).select_for_update(no_key=True).first()


async def note_fee_returned(conn: Connection, purchase_id: int, payout_id: int) -> None:
    """Record the payout with which the fee was returned."""
    await conn.execute("update purchases set fee_returned_with = $2 where id = $1", purchase_id, payout_id)
