"""The worker queue: a job is taken, done and marked in one transaction; there is no lease and nothing to fence."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from domain.errors import Busy, NotFound, Refused
from domain.lifecycles import JobStatus, move
from models import jobs
from services import activation, challenges, closing, payouts
from services.local import Local
from services.owed import Job, WaitForQuotes
from services.principals import Principal, Role
from services.unit import Unit, plain, reading, root, sweep

log = logging.getLogger(__name__)

ATTEMPTS_MAX = 10
DELAY_FIRST = timedelta(seconds=0.25)
DELAY_MAX = timedelta(minutes=10)

HANDLERS: dict[str, Callable[[Unit, Job], Awaitable[str]]] = {
    "withdraw_fee": activation.withdraw_fee,
    "deposit": activation.deposit,
    "start_account": activation.start_account,
    "close_account": closing.close_account,
    "open_next_phase": closing.open_next_phase,
    "close_positions": challenges.close_positions,
    "pay_payout": payouts.pay,
}
ACTIVATION = frozenset({"withdraw_fee", "deposit", "start_account"})

_draining = Local(asyncio.Lock)


async def drain() -> int:
    """Do every job that is due, oldest first, one at a time in this process; answers how many were taken."""
    taken = 0
    async with _draining():
        while (job := await _take()) is not None:
            taken += 1
            await _attempt(job)
    return taken


async def _take() -> Job | None:
    async with reading() as conn:
        row = await jobs.take(conn)
    if row is None:
        return None
    facts = json.loads(row["facts"])
    return Job(row["id"], row["brand"], row["kind"], row["challenge_id"], row["account_id"], facts, row["attempts"])


async def _attempt(job: Job) -> None:
    """Do the job; a failure is kept as its outcome, and tried again later, ever more rarely."""
    if job.attempts > ATTEMPTS_MAX:
        await _bury(job, "its worker died at each attempt")
        return
    try:
        await _do(job)
    except Exception as error:
        reason = str(error) if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
        log.warning("job %s (%s) failed at attempt %s: %s", job.id, job.kind, job.attempts, reason, exc_info=True)
        busy = isinstance(error, Busy)
        if job.attempts >= ATTEMPTS_MAX and not busy:
            await _bury(job, reason)
            return
        wait = min(DELAY_FIRST * 2**job.attempts, DELAY_MAX)
        async with reading() as conn:
            await jobs.delay(conn, job.id, wait, reason, counts=not busy)


async def _do(job: Job) -> None:
    try:
        async with root(job.root) as work:
            if not await jobs.hold(work.conn, job.id):
                return  # another worker did it meanwhile
            try:
                outcome = await HANDLERS[job.kind](work, job)
            except WaitForQuotes as waiting:
                await jobs.postpone(work.conn, job.id, work.batch + 1, f"waits for quotes: {waiting}")
            else:
                await jobs.finish(work.conn, job.id, outcome)
    except NotFound:
        async with reading() as conn:
            if not await jobs.finish_if_gone(conn, job.id, "its challenge has been deleted"):
                raise


async def _bury(job: Job, reason: str) -> None:
    """Give the job up, without catching its accounts up: that may be what fails."""
    async with sweep([job.root], mark=False) as work:
        if await jobs.hold(work.conn, job.id):
            await jobs.bury(work.conn, job.id, reason)
            if job.kind in ACTIVATION:
                await activation.give_up(work, job, reason)


async def retry(principal: Principal, job_id: int) -> None:
    """Queue a dead job again. Raises Forbidden, NotFound for one of another brand, InvalidTransition."""
    principal.require(Role.ADMIN, Role.MANAGER)
    async with plain() as work:
        job = await jobs.lock(work.conn, job_id)
        if job is None or not principal.sees(job["brand"]):
            raise NotFound("id", job=job_id)
        queued = move("job", JobStatus(job["status"]), JobStatus.QUEUED)
        await jobs.revive(work.conn, job_id)
        work.wakes = True
        work.audit(
            principal,
            "retryJob",
            object_kind="job",
            object_id=job_id,
            brand=job["brand"],
            before={name: job[name] for name in ("kind", "status", "attempts", "outcome")},
            after={"status": queued.value},
        )
