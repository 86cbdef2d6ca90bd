"""Cancelling a challenge: by hand, or because its purchase failed, was refunded, or its program is deleted."""

from collections.abc import Sequence
from dataclasses import replace

from domain import days, execution, working_orders
from domain.errors import InvalidInput, NotFound, PayoutOpen
from domain.ledger import Kind
from domain.lifecycles import ACCOUNT_ENDS, AccountStatus, ChallengeStatus, PurchaseStatus, move
from domain.reasons import PURCHASE_FAILED, Reason
from domain.validation import text_fault
from models import challenges as rows
from models import purchases, wallets
from models.challenges import ChallengeMove, PhaseMove
from services.jobs.job import Job, WaitForQuotes
from services.principals import Principal, Role
from services.unit_of_work.locked_account import LockedAccount
from services.unit_of_work.openings import root_transaction
from services.unit_of_work.reads import read_connection
from services.unit_of_work.roots import LockRoot
from services.unit_of_work.unit import UnitOfWork

REASON_MAX = 500
UNDER_WAY = frozenset({PurchaseStatus.PENDING, PurchaseStatus.PAID, PurchaseStatus.ACCOUNT_CREATED})
"""Statuses of a purchase whose challenge has not begun."""


def checked_reason(internal: str, shown: str | None = None) -> Reason:
    """Return the reason of an operation by hand. Raises InvalidInput for an empty or too long text."""
    for field, text in (("reason", internal), ("shownReason", shown)):
        if text is not None and (fault := text_fault(text, REASON_MAX)):
            raise InvalidInput(field, reason=fault)
    return Reason(internal, shown)


async def check_payouts(work: UnitOfWork, ids: Sequence[int]) -> None:
    """Check that no payout of the challenges is open; their locks keep new payouts out.

    Raises PayoutOpen naming the payout, or the challenge alone if its payout is not written yet.
    """
    if found := await rows.first_open_payout(work.conn, ids):
        raise PayoutOpen("id", **{name: fact for name, fact in found.items() if fact is not None})


async def cancel_challenge(principal: Principal, challenge_id: int, reason: str, shown: str | None = None) -> None:
    """End a running challenge without a verdict: its account is locked, its positions close at fresh quotes.

    A purchase that is still being activated fails. An open payout stays open. Raises Forbidden, InvalidInput, NotFound,
    InvalidTransition.
    """
    principal.require(Role.ADMIN, Role.MANAGER)
    why = checked_reason(reason, shown)
    async with read_connection() as conn:
        brand = await rows.brand_of_challenge(conn, challenge_id)
    if brand is None or not principal.sees(brand):
        raise NotFound("id", id=challenge_id)
    async with root_transaction(LockRoot.of_challenge(challenge_id)) as work:
        await work.flush()  # a verdict that catching up wrote comes first
        card = await rows.read_challenge(work.conn, challenge_id)
        await call_off(work, challenge_id, "CANCELLED", why)
        work.audit(
            principal,
            "cancelChallenge",
            object_kind="challenge",
            object_id=challenge_id,
            brand=brand,
            reason=reason,
            before={"status": ChallengeStatus(card["status"]).name, "account": card["account_id"]},
            after={"status": ChallengeStatus.CANCELLED.name},
        )


async def call_off(work: UnitOfWork, challenge_id: int, end_reason: str, reason: Reason) -> None:
    """Cancel a running challenge and its phases, lock its account, fail a purchase that is still being activated.

    The unit of work holds the challenge and has written what catching up changed. Raises InvalidTransition if it has
    ended.
    """
    card = await rows.read_challenge(work.conn, challenge_id)
    cancelled = move("challenge", ChallengeStatus(card["status"]), ChallengeStatus.CANCELLED)
    if card["purchase_id"] is not None and PurchaseStatus(card["purchase_status"]) in UNDER_WAY:
        await _fail_purchase(work, challenge_id, end_reason, reason)
    if phase_id := await rows.active_phase(work.conn, challenge_id):
        work.moves.phases.append(PhaseMove(phase_id, cancelled, work.now, end_reason))
    work.moves.challenges.append(ChallengeMove(challenge_id, cancelled, work.now, end_reason))
    if locked := work.locked_accounts.get(card["account_id"]):
        secure_account(work, locked, end_reason)
    payload = {
        "purchase": card["purchase_id"],
        "account": card["account_id"],
        "phase_index": card["current_phase_index"],
        "end_reason": end_reason,
        "reason": reason.told(end_reason),
    }
    work.emit("prop.challenge.cancelled", brand=card["brand"], challenge_id=challenge_id, payload=payload)


async def _fail_purchase(work: UnitOfWork, challenge_id: int, end_reason: str, reason: Reason) -> None:
    """Set the purchase FAILED; its reservation on the wallet ends."""
    card = await rows.read_challenge(work.conn, challenge_id)
    status = PurchaseStatus(card["purchase_status"])
    if status is PurchaseStatus.PENDING:
        await wallets.lock_wallet(work.conn, card["wallet_id"])
        await wallets.add_reservation(work.conn, card["wallet_id"], -card["price"])
    target = move("purchase", status, PurchaseStatus.FAILED)
    told = reason.told(end_reason)
    await purchases.fail_purchase(work.conn, card["purchase_id"], target, work.now, reason=reason.internal, shown=told)
    payload = {
        "purchase": card["purchase_id"],
        "account": card["account_id"],
        "end_reason": end_reason,
        "reason": told,
    }
    work.emit(PURCHASE_FAILED, brand=card["brand"], challenge_id=challenge_id, payload=payload)


def secure_account(work: UnitOfWork, locked: LockedAccount, end_reason: str) -> None:
    """Lock an account that has not ended: cancel its orders, end its phase and day, close its positions."""
    account = locked.account
    if account.status in ACCOUNT_ENDS:
        return
    account = working_orders.cancel(account, None, end_reason, work.now, work.batch, work.journal)
    if account.phase is not None and account.phase.running:
        account = days.finish(account, work.now, work.batch, work.journal)
    phase = account.phase
    if phase is not None and phase.running:
        phase = replace(phase, status=ChallengeStatus.CANCELLED)
    locked.account = work.journal.append(
        account,
        Kind.ACCOUNT_LOCKED,
        work.now,
        work.batch,
        {"reason": end_reason},
        status=AccountStatus.LOCKED,
        locked_from=account.locked_from or account.status,
        read_only=True,  # for good: an unlocked account cannot trade on it either
        phase=phase,
    )
    if account.positions:
        challenge_id = locked.stored.challenge_id
        work.enqueue("close_positions", brand=account.brand, challenge_id=challenge_id, account_id=account.id)


async def close_positions(work: UnitOfWork, job: Job) -> str:
    """Close the positions that are left on an account that is locked for good.

    Raises WaitForQuotes while a position has no fresh quote of its own; closed positions stay closed.
    """
    assert job.account_id, "the job names its account"
    locked = work.locked_accounts.get(job.account_id)
    if locked is None or locked.account.status in ACCOUNT_ENDS:
        return "the account has ended"
    locked.account = execution.close_all(
        locked.account, "CHALLENGE_CANCELLED", work.moment, locked.conditions, work.journal
    )
    if locked.account.positions:
        raise WaitForQuotes(", ".join(sorted({symbol for symbol, _ in locked.account.positions})))
    return "closed"
