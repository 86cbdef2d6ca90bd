"""Bulk reinstatements: verdicts of many challenges are set aside, one job per challenge.

Each job queues the next one, so that other jobs get their turn and a stopped bulk goes on where it was.
"""

from domain.errors import InvalidInput, Locked, Refused
from domain.reasons import Reason
from domain.reinstatements import BulkOutcome
from domain.voids import Span
from models import bulk_reinstatements as rows
from models import voids as spans
from services import receipts, reinstatements, voids
from services.challenges import checked_reason
from services.jobs.job import Job
from services.principals import Principal, Role
from services.unit_of_work.openings import transaction
from services.unit_of_work.reads import read_connection
from services.unit_of_work.unit import UnitOfWork
from services.views.visibility import visibility_of

KIND = "reinstate"


async def order_reinstatements(
    principal: Principal, span: Span, reason: str, key: str, shown: str | None = None
) -> int:
    """Set aside the verdict of every challenge of the brand that void quotes of the span affected; return the bulk's
    id.

    Jobs do it; the bulk shows their progress. The same key and content return the same bulk. Raises Forbidden,
    InvalidInput, IdempotencyConflict.
    """
    principal.require(Role.ADMIN, Role.MANAGER)
    why = checked_reason(reason, shown)
    operation = "reinstateChallenges"
    content = {
        "symbol": span.symbol,
        "sourceFrom": span.source_from.isoformat(),
        "sourceBefore": span.source_before.isoformat(),
        **why.content,
    }
    async with transaction() as work:
        if seen := await receipts.claim_key(work, principal, operation, key, content):
            return int(seen["bulk"])
        if not await spans.overlaps_void(work.conn, span):
            raise InvalidInput("sourceFrom", reason=f"no quote of {span.symbol} in the span is void; use voidQuotes")
        bulk_id = await rows.insert_bulk(work.conn, principal.brand, span, principal.actor, why)
        filters = await voids.hits_in(work.conn, span, work.catalogue)
        many = await rows.insert_hits(work.conn, bulk_id, visibility_of(principal), filters)
        await _owe_next(work, bulk_id)
        work.audit(
            principal,
            operation,
            object_kind="bulkReinstatement",
            object_id=bulk_id,
            brand=principal.brand,
            reason=reason,
            before={"challenges": 0},
            after={name: content[name] for name in ("symbol", "sourceFrom", "sourceBefore")} | {"challenges": many},
        )
        await receipts.store_answer(work, principal, operation, key, {"bulk": bulk_id})
    return bulk_id


async def _owe_next(work: UnitOfWork, bulk_id: int) -> None:
    if following := await rows.next_challenge(work.conn, bulk_id):
        work.enqueue(KIND, brand=following["brand"], challenge_id=following["challenge_id"], facts={"bulk": bulk_id})


async def reinstate_one(work: UnitOfWork, job: Job) -> str:
    """Set aside the verdict on the job's challenge, or record why not, and queue the next challenge's job."""
    assert job.challenge_id, "the job names its challenge"
    bulk_id = int(job.facts["bulk"])
    await rows.lock_bulk(work.conn, bulk_id)
    if not await rows.is_pending(work.conn, bulk_id, job.challenge_id):
        return "decided already"
    bulk = await rows.read_bulk(work.conn, bulk_id)
    role, _, name = bulk["actor"].partition(":")
    principal = Principal(0, name, Role(role.upper()), bulk["brand"], request=f"bulk reinstatement {bulk_id}")
    try:
        plan = await reinstatements.recompute_run(work, job.challenge_id)
    except Locked:
        raise
    except Refused as refused:
        refusal = refused.code, str(refused)
        await rows.write_bulk_result(work.conn, bulk_id, job.challenge_id, BulkOutcome.REFUSED, *refusal)
        outcome = f"refused: {refusal[1]}"
    else:
        await reinstatements.carry_out(work, principal, plan, Reason(bulk["reason"], bulk["shown"]))
        await rows.write_bulk_result(work.conn, bulk_id, job.challenge_id, BulkOutcome.REINSTATED)
        outcome = "reinstated"
    await _owe_next(work, bulk_id)
    return outcome


async def resume_bulks() -> None:
    """Queue the next job of every stalled bulk: the challenge of its last job may have been deleted."""
    async with read_connection() as conn:
        halted = await rows.stalled_bulks(conn)
    for bulk_id in halted:
        async with transaction() as work:
            await rows.lock_bulk(work.conn, bulk_id)
            if bulk_id in await rows.stalled_bulks(work.conn):
                await _owe_next(work, bulk_id)
