"""Bulk reinstatements: the affected challenges and the outcome of each."""

import asyncpg

from domain.reasons import Reason
from domain.reinstatements import BulkOutcome
from domain.voids import Span
from models.sql import Connection
from models.views.challenges import CHALLENGES
from models.views.list_query import Filters, NarrowFilter
from models.views.visibility import Visibility, Where

# The next challenge of a bulk without a job. One whose job is DEAD waits for its retry and does not block the others.
NEXT = """
select c.id as challenge_id, c.brand from bulk_results r join challenges c on c.id = r.challenge_id
where r.bulk_id = $1 and r.outcome = 'PENDING' and not exists (
  select from jobs j where j.challenge_id = r.challenge_id and j.kind = 'reinstate' and j.status in ('QUEUED', 'DEAD'))
order by r.challenge_id limit 1
"""
# Bulks with pending challenges and no queued job: a job is deleted with its challenge.
STALLED = """
select b.id from bulk_reinstatements b
where exists (select from bulk_results r where r.bulk_id = b.id and r.outcome = 'PENDING')
  and not exists (
    select from jobs j where j.kind = 'reinstate' and j.status = 'QUEUED' and j.facts -> 'bulk' = to_jsonb(b.id))
order by b.id
"""


async def insert_bulk(conn: Connection, brand: str | None, span: Span, actor: str, reason: Reason) -> int:
    """Write a bulk reinstatement and return its id."""
    bulk_id: int = await conn.fetchval(
        """insert into bulk_reinstatements (brand, symbol, source_from, source_before, actor, reason, shown)
        values ($1, $2, $3, $4, $5, $6, $7) returning id""",
        brand,
        span.symbol,
        span.source_from,
        span.source_before,
        actor,
        reason.internal,
        reason.shown,
    )
    return bulk_id


async def insert_hits(conn: Connection, bulk_id: int, visibility: Visibility, filters: Filters) -> int:
    """Insert a PENDING result for every visible challenge that matches the filters; return their number."""
    where = Where(bulk_id)
    CHALLENGES.visibility(where, visibility)
    for name, values in filters:
        condition = CHALLENGES.filters[name]
        assert isinstance(condition, NarrowFilter), "these filters are single conditions"
        where.add(condition.condition, *values)
    text = f"insert into bulk_results (bulk_id, challenge_id) select $1, c.id from {CHALLENGES.source}{where.text}"
    done: str = await conn.execute(text, *where.values)
    return int(done.rsplit(" ", 1)[1])


async def read_bulk(conn: Connection, bulk_id: int) -> asyncpg.Record:
    """Return brand, actor, reason and shown of a bulk reinstatement."""
    row = await conn.fetchrow("select brand, actor, reason, shown from bulk_reinstatements where id = $1", bulk_id)
    assert row, "a job names an existing bulk reinstatement"
    return row


async def next_challenge(conn: Connection, bulk_id: int) -> asyncpg.Record | None:
    """Return challenge_id and brand of the next challenge to decide, if one is left."""
    return await conn.fetchrow(NEXT, bulk_id)


async def stalled_bulks(conn: Connection) -> list[int]:
    """Return the ids of the bulk reinstatements that have pending challenges and no job."""
    return [row["id"] for row in await conn.fetch(STALLED)]


async def lock_bulk(conn: Connection, bulk_id: int) -> None:
    """Lock the bulk, so that only this transaction can write its next job."""
    await conn.execute("select id from bulk_reinstatements where id = $1 for no key update", bulk_id)


async def write_bulk_result(
    conn: Connection,
    bulk_id: int,
    challenge_id: int,
    outcome: BulkOutcome,
    code: str | None = None,
    message: str | None = None,
) -> None:
    """Write the outcome of a challenge."""
    await conn.execute(
        """update bulk_results set outcome = $3, code = $4, message = $5, decided_at = clock_timestamp()
        where bulk_id = $1 and challenge_id = $2""",
        bulk_id,
        challenge_id,
        outcome.value,
        code,
        message,
    )


async def is_pending(conn: Connection, bulk_id: int, challenge_id: int) -> bool:
    """Return whether the challenge is still to be decided."""
    pending: bool = await conn.fetchval(
        """select exists (
          select from bulk_results where bulk_id = $1 and challenge_id = $2 and outcome = 'PENDING')""",
        bulk_id,
        challenge_id,
    )
    return pending
