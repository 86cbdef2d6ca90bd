"""The work queue: a job is taken, done and marked in one transaction, so it needs no lease and no fence."""

import asyncio
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from config import wakeups
from config.logs import about
from domain.errors import Locked, NotFound, Refused
from domain.lifecycles import JobStatus, move
from models import jobs
from services import bulk_reinstatements, challenges, payouts
from services.connections import SHORT
from services.jobs import activation, closing
from services.jobs.job import Job, WaitForQuotes
from services.per_database import PerDatabase
from services.principals import Principal, Role
from services.quarantine import TROUBLES
from services.telemetry import JOB_SECONDS
from services.unit_of_work.openings import catch_up_many, root_transaction, transaction
from services.unit_of_work.reads import write_connection
from services.unit_of_work.unit import UnitOfWork

log = logging.getLogger(__name__)

ATTEMPTS_MAX = 10
DELAY_FIRST = timedelta(seconds=0.25)
DELAY_MAX = timedelta(minutes=10)
DELAY_SHORT = timedelta(seconds=5)  # while the server cannot write: no attempt is used up, however long it lasts

HANDLERS: dict[str, Callable[[UnitOfWork, Job], Awaitable[str]]] = {
    "withdraw_fee": activation.withdraw_fee,
    "deposit": activation.deposit_balance,
    "start_account": activation.start_account,
    "close_account": closing.close_account,
    "close_day": closing.close_day,
    "open_next_phase": closing.open_next_phase,
    "close_positions": challenges.close_positions,
    "pay_payout": payouts.pay_payout,
    bulk_reinstatements.KIND: bulk_reinstatements.reinstate_one,
}
ACTIVATION = frozenset({"withdraw_fee", "deposit", "start_account"})

_draining = PerDatabase(asyncio.Lock)


async def do_jobs(seconds: float = math.inf) -> int:
    """Do every due job, oldest first, one at a time in this process; return how many were taken.

    After `seconds` no further job is begun, and the work queue is asked to go on.
    """
    taken = 0
    ends_at = time.monotonic() + seconds
    async with _draining():
        while (job := await _take()) is not None:
            taken += 1
            began = time.perf_counter()
            with about(job=job.id, kind=job.kind, challenge=job.challenge_id, account=job.account_id):
                outcome = await _attempt_alone(job)
            JOB_SECONDS.labels(job.kind, outcome).observe(time.perf_counter() - began)
            if time.monotonic() >= ends_at:
                wakeups.request("work_queue")
                break
    return taken


async def _attempt_alone(job: Job) -> str:
    """Attempt the job. If even its failure cannot be stored, the job is dead, and the others go on."""
    try:
        return await _attempt(job)
    except TROUBLES:
        raise
    except Exception as error:
        log.exception("job %s (%s) cannot be attempted", job.id, job.kind)
        async with write_connection() as conn:
            await jobs.mark_job_dead(conn, job.id, f"{type(error).__name__}: {error}")
        return "dead"


async def _take() -> Job | None:
    async with write_connection() as conn:
        row = await jobs.take_job(conn)
    if row is None:
        return None
    facts = json.loads(row["facts"])
    return Job(row["id"], row["brand"], row["kind"], row["challenge_id"], row["account_id"], facts, row["attempts"])


async def _attempt(job: Job) -> str:
    """Do the job. A failure is stored and tried again later, at growing intervals.

    It uses up no attempt while another transaction holds its locks, or the database's disk is full. Returns `done`,
    `postponed`, `failed` or `dead`.
    """
    if job.attempts > ATTEMPTS_MAX:
        return await _bury(job, "its worker died at each attempt")
    try:
        return await _do(job)
    except Exception as error:
        reason = str(error) if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
        is_short = isinstance(error, SHORT)
        counts = not is_short and not isinstance(error, Locked)
        buried = job.attempts >= ATTEMPTS_MAX and counts
        if not buried:
            wait = DELAY_SHORT if is_short else min(DELAY_FIRST * 2**job.attempts, DELAY_MAX)
            async with write_connection() as conn:  # raises where the database is away, which is no failure of the job
                await jobs.delay_job(conn, job.id, wait, reason, counts=counts)
        trace = None if is_short else error
        log.warning("job %s (%s) failed at attempt %s: %s", job.id, job.kind, job.attempts, reason, exc_info=trace)
        return await _bury(job, reason) if buried else "failed"


async def _do(job: Job) -> str:
    if job.kind not in HANDLERS:
        raise LookupError(f"this version knows no job of the kind {job.kind!r}, only {', '.join(HANDLERS)}")
    try:
        async with root_transaction(job.root) as work:
            if not await jobs.lock_queued_job(work.conn, job.id):
                return "done"  # by another worker in the meantime
            try:
                outcome = await HANDLERS[job.kind](work, job)
            except WaitForQuotes as waiting:
                await jobs.postpone_job(work.conn, job.id, work.batch + 1, f"waits for quotes: {waiting}")
                return "postponed"
            await jobs.finish_job(work.conn, job.id, outcome)
    except NotFound:
        async with write_connection() as conn:
            if not await jobs.finish_if_gone(conn, job.id, "its challenge has been deleted"):
                raise
    return "done"


async def _bury(job: Job, reason: str) -> str:
    """Mark the job dead without catching its accounts up, which may be what fails.

    A sale fails with the job that should activate it, except over an account that cannot be read: it could not be
    locked, and the job can be retried once it is readable.
    """
    async with catch_up_many([job.root], mark=False) as work:
        if await jobs.lock_queued_job(work.conn, job.id):
            await jobs.mark_job_dead(work.conn, job.id, reason)
            if job.kind in ACTIVATION and not work.unreadable:
                await activation.give_up(work, job, reason)
    log.error("job %s (%s) is dead: %s", job.id, job.kind, reason)
    return "dead"


async def retry(principal: Principal, job_id: int) -> None:
    """Queue a dead job again. Raises Forbidden, NotFound for a job of another brand, InvalidTransition."""
    principal.require(Role.ADMIN, Role.MANAGER)
    async with transaction() as work:
        job = await jobs.lock_job(work.conn, job_id)
        if job is None or not principal.sees(job["brand"]):
            raise NotFound("id", job=job_id)
        queued = move("job", JobStatus(job["status"]), JobStatus.QUEUED)
        await jobs.requeue_job(work.conn, job_id)
        work.has_jobs = True
        work.audit(
            principal,
            "retryJob",
            object_kind="job",
            object_id=job_id,
            brand=job["brand"],
            before={name: job[name] for name in ("kind", "status", "attempts", "outcome")},
            after={"status": queued.value},
        )
