"""The job queue: side effects that are written with their cause, and executed and finished in one transaction."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import asyncpg

from domain.ledger import Facts, canonical
from models import sql
from models.sql import Connection, Part


class NewJob(NamedTuple):
    """A job to be queued."""

    brand: str
    kind: str
    challenge_id: int | None
    account_id: int | None
    facts: Facts


JOB: sql.Columns = {
    "brand": "text",
    "kind": "text",
    "challenge_id": "bigint",
    "account_id": "bigint",
    "facts": "jsonb",
}
INSERT = sql.insert_statement("jobs", JOB)
DUE = """status = 'QUEUED' and due_at <= clock_timestamp()
  and (waits_for_batch is null or waits_for_batch <= (select coalesce(max(number), 0) from batches))"""
TAKE = f"""
update jobs set attempts = attempts + 1
where id = (select id from jobs where {DUE} order by created_at, id limit 1 for update skip locked)
returning id, brand, kind, challenge_id, account_id, facts, attempts
"""
HOLD = "select id from jobs where id = $1 and status = 'QUEUED' for update"


def job_part(jobs: Sequence[NewJob]) -> Part:
    """Return the insert of jobs into the queue."""
    return INSERT, [(j.brand, j.kind, j.challenge_id, j.account_id, canonical(j.facts)) for j in jobs]


async def take_job(conn: Connection) -> asyncpg.Record | None:
    """Count an attempt for the oldest due job and return it.

    It is committed before the job is executed, so that a job that kills its worker ends DEAD.
    """
    return await conn.fetchrow(TAKE)


async def lock_queued_job(conn: Connection, job_id: int) -> bool:
    """Lock a job; return False unless it is QUEUED."""
    return await conn.fetchval(HOLD, job_id) is not None


async def finish_job(conn: Connection, job_id: int, outcome: str) -> None:
    """Set a job DONE."""
    await conn.execute(
        "update jobs set status = 'DONE', outcome = $2, done_at = clock_timestamp() where id = $1", job_id, outcome
    )


async def postpone_job(conn: Connection, job_id: int, batch: int, outcome: str) -> None:
    """Let a job wait for a batch of quotes, with all its attempts."""
    await conn.execute(
        "update jobs set waits_for_batch = $2, outcome = $3, attempts = 0 where id = $1", job_id, batch, outcome
    )


async def delay_job(conn: Connection, job_id: int, wait: timedelta, outcome: str, *, counts: bool) -> None:
    """Let a job wait for `wait`; the attempt is used up only if it `counts`."""
    await conn.execute(
        """update jobs set due_at = clock_timestamp() + $2, outcome = $3, attempts = attempts - $4
        where id = $1 and status = 'QUEUED'""",
        job_id,
        wait,
        outcome,
        0 if counts else 1,
    )


async def mark_job_dead(conn: Connection, job_id: int, outcome: str) -> None:
    """Set a QUEUED job DEAD."""
    await conn.execute(
        "update jobs set status = 'DEAD', outcome = $2 where id = $1 and status = 'QUEUED'", job_id, outcome
    )


async def lock_job(conn: Connection, job_id: int) -> asyncpg.Record | None:
    """Lock a job and return its brand, kind, status, attempts and outcome."""
    return await conn.fetchrow(
        "select brand, kind, status, attempts, outcome from jobs where id = $1 for no key update", job_id
    )


async def requeue_job(conn: Connection, job_id: int) -> None:
    """Queue a job again, with all its attempts."""
    await conn.execute(
        "update jobs set status = 'QUEUED', attempts = 0, due_at = clock_timestamp(), outcome = null where id = $1",
        job_id,
    )


async def finish_jobs_of(conn: Connection, challenges: Sequence[int], outcome: str) -> None:
    """Set every QUEUED job of the challenges DONE."""
    await conn.execute(
        """update jobs set status = 'DONE', outcome = $2, done_at = clock_timestamp()
        where challenge_id = any($1::bigint[]) and status = 'QUEUED'""",
        list(challenges),
        outcome,
    )


async def finish_if_gone(conn: Connection, job_id: int, outcome: str) -> bool:
    """Set a job DONE if its challenge was deleted; return False if the challenge exists."""
    finished = await conn.fetchval(
        """update jobs set status = 'DONE', outcome = case status when 'QUEUED' then $2 else outcome end,
          done_at = coalesce(done_at, clock_timestamp())
        where id = $1 and challenge_id is not null
          and not exists (select from challenges c where c.id = jobs.challenge_id) returning id""",
        job_id,
        outcome,
    )
    return finished is not None


async def has_closing_job(conn: Connection, account_id: int) -> bool:
    """Return whether a job that closes the account is QUEUED."""
    exists: bool = await conn.fetchval(
        """select exists (
          select from jobs where account_id = $1 and kind = 'close_account' and status = 'QUEUED')""",
        account_id,
    )
    return exists
