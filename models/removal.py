"""A program with all that was sold of it: what is remembered of it, and how its rows go."""

from collections.abc import Sequence

import asyncpg

from domain.lifecycles import PurchaseStatus
from models.sql import Connection

BY_CHALLENGE = {
    "metrics": "delete from metrics where challenge_id = any($1::bigint[])",
    "days": """delete from days d using challenge_phases p
      where p.id = d.phase_id and p.challenge_id = any($1::bigint[])""",
    "breaches": "delete from breaches where challenge_id = any($1::bigint[])",
    "challenge_phases": "delete from challenge_phases where challenge_id = any($1::bigint[])",
    "challenges": "delete from challenges where id = any($1::bigint[])",
}
"""In the order their references ask for. Accounts let go of their challenge; payouts, jobs, events keep its number."""

BY_PROGRAM = {
    "purchases": "delete from purchases where program_id = $1",
    "phases": "delete from program_phases where program_id = $1",
    "programs": "delete from programs where id = $1",
}
PHASES = """
select p.challenge_id, p.phase_index, p.account_id, p.status, p.started_at, p.ended_at, p.end_reason
from challenge_phases p where p.challenge_id = any($1::bigint[]) order by p.challenge_id, p.phase_index
"""
BREACHES = """
select b.id, b.challenge_id, f.phase_index, b.account_id, b.rule, b.consequence, b.day, b.day_date, b.market_time,
  b.batch, b."limit", b.floor, b.observed, b.headroom, b.derivation::text, b.ledger_seq,
  encode(b.ledger_hash, 'hex') as ledger_hash, b.terms_hash
from breaches b join challenge_phases f on f.id = b.phase_id
where b.challenge_id = any($1::bigint[]) order by b.id
"""


async def brand_of(conn: Connection, program_id: int) -> str | None:
    """The brand of a program, if there is one of this id."""
    brand: str | None = await conn.fetchval("select brand from programs where id = $1", program_id)
    return brand


async def lock(conn: Connection, program_id: int) -> bool:
    """Keep the program from being edited or sold; False where there is none."""
    found = await conn.fetchval("select id from programs where id = $1 for update", program_id)
    return found is not None


async def lock_wallets(conn: Connection, program_id: int) -> None:
    """Those on which a price of the program is reserved, in the order of all locks: by id."""
    await conn.execute(
        """select id from wallets where id in (select wallet_id from purchases where program_id = $1 and status = $2)
        order by id for no key update""",
        program_id,
        PurchaseStatus.PENDING,
    )


async def challenges_of(conn: Connection, program_id: int) -> list[int]:
    """Every challenge sold of the program."""
    found = await conn.fetch("select id from challenges where program_id = $1 order by id", program_id)
    return [row["id"] for row in found]


async def running(conn: Connection, challenges: Sequence[int]) -> list[int]:
    """Those of the challenges that have not ended."""
    found = await conn.fetch(
        "select id from challenges where id = any($1::bigint[]) and ended_at is null order by id", list(challenges)
    )
    return [row["id"] for row in found]


async def terms(conn: Connection, program_id: int) -> dict[str, str]:
    """The text of every terms the program was sold under, by hash."""
    found = await conn.fetch(
        "select hash, body from terms where hash in (select terms_hash from challenges where program_id = $1)",
        program_id,
    )
    return {row["hash"]: row["body"] for row in found}


async def verdicts(
    conn: Connection, program_id: int, challenges: Sequence[int]
) -> tuple[list[asyncpg.Record], list[asyncpg.Record], list[asyncpg.Record]]:
    """The challenges, their phases and their breaches with all evidence."""
    ids = list(challenges)
    return (
        await conn.fetch("select * from challenges where program_id = $1 order by id", program_id),
        await conn.fetch(PHASES, ids),
        await conn.fetch(BREACHES, ids),
    )


async def delete(conn: Connection, program_id: int, challenges: Sequence[int]) -> dict[str, int]:
    """Remove everything; answers how many rows of each table went."""
    gone = {}
    for table, statement in BY_CHALLENGE.items():
        gone[table] = _count(await conn.execute(statement, list(challenges)))
    for table, statement in BY_PROGRAM.items():
        gone[table] = _count(await conn.execute(statement, program_id))
    return gone


def _count(tag: str) -> int:
    return int(tag.rsplit(" ", 1)[1])
