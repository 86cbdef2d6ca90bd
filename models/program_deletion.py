"""Deletion of a program with all its sales, portion by portion, and the record that is kept of each sale."""

import json
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from domain.lifecycles import ProgramStatus, PurchaseStatus
from models.sql import Connection

DELETIONS = {
    "metrics": "delete from metrics where challenge_id = any($1::bigint[])",
    "days": """delete from days d using challenge_phases p
      where p.id = d.phase_id and p.challenge_id = any($1::bigint[])""",
    "bulk_results": "delete from bulk_results where challenge_id = any($1::bigint[])",
    "reinstatements": "delete from reinstatements where challenge_id = any($1::bigint[])",
    "breaches": "delete from breaches where challenge_id = any($1::bigint[])",
    "challenge_phases": "delete from challenge_phases where challenge_id = any($1::bigint[])",
    "challenges": "delete from challenges where id = any($1::bigint[])",
}
"""The deletions in the order of the foreign keys. Accounts lose their challenge; payouts, jobs, events keep its id."""

DELETE_PURCHASES = "delete from purchases where id = any($1::bigint[])"
DELETE_PHASES = "delete from program_phases where program_id = $1"
DELETE_PROGRAM = "delete from programs where id = $1"
PHASES = """
select p.challenge_id, p.phase_index, p.account_id, p.status, p.started_at, p.ended_at, p.end_reason,
  p.run
from challenge_phases p where p.challenge_id = any($1::bigint[]) order by p.challenge_id, p.phase_index, p.run
"""
BREACHES = """
select b.id, b.challenge_id, f.phase_index, b.account_id, b.rule, b.consequence, b.day, b.day_date, b.market_time,
  b.batch, b."limit", b.floor, b.observed, b.headroom, b.derivation::text, b.ledger_seq,
  encode(b.ledger_hash, 'hex') as ledger_hash, b.terms_hash, r.reason as overturned_reason,
  r.actor as overturned_by, r.recorded_at as overturned_at
from breaches b join challenge_phases f on f.id = b.phase_id left join reinstatements r on r.breach_id = b.id
where b.challenge_id = any($1::bigint[]) order by b.id
"""


class DeletionProgress(NamedTuple):
    """Progress of a deletion: the number of deleted rows by table, and the hash over the deleted sales."""

    counters: dict[str, int]
    hash: str


class DeletedSale(NamedTuple):
    """A deleted sale: the ids of purchase and challenge, one of which may be missing, and both as JSON."""

    purchase_id: int | None
    challenge_id: int | None
    body: str


async def brand_of_program(conn: Connection, program_id: int) -> str | None:
    """Return the brand of a program; None if there is no such program."""
    brand: str | None = await conn.fetchval("select brand from programs where id = $1", program_id)
    return brand


async def lock_program_for_deletion(conn: Connection, program_id: int) -> bool:
    """Lock the program, so that it is neither edited nor sold; return False if there is none."""
    program = await conn.fetchval("select id from programs where id = $1 for update", program_id)
    return program is not None


async def lock_wallets(conn: Connection, purchases: Sequence[int]) -> None:
    """Lock, in order of id, the wallets on which the price of one of the purchases is reserved."""
    await conn.execute(
        """select id from wallets
        where id in (select wallet_id from purchases where id = any($1::bigint[]) and status = $2)
        order by id for no key update""",
        list(purchases),
        PurchaseStatus.PENDING,
    )


async def some_challenges(conn: Connection, program_id: int, most: int) -> list[int]:
    """Return any challenges of the program, at most `most`, sorted by id."""
    rows = await conn.fetch("select id from challenges where program_id = $1 limit $2", program_id, most)
    return sorted(row["id"] for row in rows)


async def challenges_of_program(conn: Connection, program_id: int, challenges: Sequence[int]) -> list[int]:
    """Return those of the challenges that exist and belong to the program."""
    rows = await conn.fetch(
        "select id from challenges where id = any($1::bigint[]) and program_id = $2 order by id",
        list(challenges),
        program_id,
    )
    return [row["id"] for row in rows]


async def purchases_of(conn: Connection, challenges: Sequence[int]) -> list[int]:
    """Return the purchases of the challenges, without purchases that have another challenge."""
    rows = await conn.fetch(
        """select distinct purchase_id as id from challenges c where id = any($1::bigint[]) and purchase_id is not null
          and not exists (
            select from challenges o where o.purchase_id = c.purchase_id and not o.id = any($1::bigint[]))
        order by 1""",
        list(challenges),
    )
    return [row["id"] for row in rows]


async def unused_purchases(conn: Connection, program_id: int, most: int) -> list[int]:
    """Lock and return at most `most` purchases of a program whose challenges are all deleted."""
    rows = await conn.fetch("select id from purchases where program_id = $1 limit $2 for update", program_id, most)
    return sorted(row["id"] for row in rows)


async def is_sold(conn: Connection, program_id: int) -> bool:
    """Return whether the program has a challenge or a purchase."""
    exists: bool = await conn.fetchval(
        """select exists (select from challenges where program_id = $1)
          or exists (select from purchases where program_id = $1)""",
        program_id,
    )
    return exists


async def running_challenges(conn: Connection, challenges: Sequence[int]) -> list[int]:
    """Return those of the challenges that have not ended."""
    rows = await conn.fetch(
        "select id from challenges where id = any($1::bigint[]) and ended_at is null order by id", list(challenges)
    )
    return [row["id"] for row in rows]


async def challenge_records(
    conn: Connection, challenges: Sequence[int]
) -> tuple[list[asyncpg.Record], list[asyncpg.Record], list[asyncpg.Record]]:
    """Return the challenges, their phases, and their breaches with all evidence."""
    ids = list(challenges)
    return (
        await conn.fetch("select * from challenges where id = any($1::bigint[]) order by id", ids),
        await conn.fetch(PHASES, ids),
        await conn.fetch(BREACHES, ids),
    )


async def open_payout_of_program(conn: Connection, program_id: int) -> asyncpg.Record | None:
    """Return the first open payout of the program's challenges: `challenge`, `payout` and `status`."""
    return await conn.fetchrow(
        """select c.id as challenge, p.id as payout, p.status
        from payouts p join challenges c on c.id = p.challenge_id
        where p.status in ('REQUESTED', 'APPROVED') and c.program_id = $1 order by p.id limit 1""",
        program_id,
    )


async def is_deletion_under_way(conn: Connection, program_id: int) -> bool:
    """Return whether a deletion of the program has begun."""
    exists: bool = await conn.fetchval("select exists (select from removals where program_id = $1)", program_id)
    return exists


async def deletion_progress(conn: Connection, program_id: int) -> DeletionProgress:
    """Return the progress of the program's deletion; empty before the first portion."""
    row = await conn.fetchrow("select counters::text, hash from removals where program_id = $1", program_id)
    return DeletionProgress(json.loads(row["counters"]), row["hash"]) if row else DeletionProgress({}, "")


async def write_deletion_progress(conn: Connection, program_id: int, removal: DeletionProgress) -> None:
    """Write the progress of the deletion, and archive the program."""
    await conn.execute(
        """insert into removals (program_id, counters, hash) values ($1, $2, $3)
        on conflict (program_id) do update set counters = excluded.counters, hash = excluded.hash""",
        program_id,
        json.dumps(removal.counters),
        removal.hash,
    )
    await conn.execute("update programs set status = $2 where id = $1", program_id, ProgramStatus.ARCHIVED)


async def insert_deleted_sales(conn: Connection, program_id: int, sales: Sequence[DeletedSale]) -> None:
    """Insert the sales of a portion, in the order in which they are hashed."""
    await conn.executemany(
        "insert into removed_sales (program_id, purchase_id, challenge_id, body) values ($1, $2, $3, $4)",
        [(program_id, *sale) for sale in sales],
    )


async def delete_sales(conn: Connection, challenges: Sequence[int], purchases: Sequence[int]) -> dict[str, int]:
    """Delete challenges with their rows in other tables, and purchases; return the number of deleted rows by table."""
    deleted = {table: _count(await conn.execute(statement, list(challenges))) for table, statement in DELETIONS.items()}
    return deleted | {"purchases": _count(await conn.execute(DELETE_PURCHASES, list(purchases)))}


async def delete_program(conn: Connection, program_id: int) -> dict[str, int]:
    """Delete a program without sales; return the number of deleted rows by table."""
    phases = _count(await conn.execute(DELETE_PHASES, program_id))
    await conn.execute("delete from removals where program_id = $1", program_id)
    return {"phases": phases, "programs": _count(await conn.execute(DELETE_PROGRAM, program_id))}


def _count(tag: str) -> int:
    return int(tag.rsplit(" ", 1)[1])
