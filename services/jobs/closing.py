"""Closing accounts: orders are cancelled, positions closed at the first fresh quotes, and the account ends.

After a verdict it ends as its phase did, and the next phase or payout is queued; outside a running phase as the job
says.
"""

from domain import execution, working_orders
from domain.lifecycles import ACCOUNT_ENDS, AccountStatus, ChallengeStatus
from domain.rule_table import Rule
from domain.terms import PhaseType
from models import challenges
from services import accounts, payouts
from services.jobs.job import Job, WaitForQuotes
from services.unit_of_work.locked_account import LockedAccount
from services.unit_of_work.unit import UnitOfWork

REASONS = {AccountStatus.COMPLETED: "COMPLETION", AccountStatus.LIQUIDATED: "LIQUIDATION"}
"""Reasons of forced orders that close an account for anything but the end of its phase."""


def close_positions_now(work: UnitOfWork, locked: LockedAccount, reason: str) -> None:
    """Cancel working orders and close positions that have a fresh quote of their own; the others stay open."""
    account = working_orders.cancel(locked.account, None, reason, work.now, work.batch, work.journal)
    locked.account = execution.close_all(account, reason, work.moment, locked.conditions, work.journal)


async def end_once_flat(work: UnitOfWork, locked: LockedAccount, status: AccountStatus) -> None:
    """Close what can be closed. A flat account ends with the status, else a job is queued that goes on.

    The account is read-only already.
    """
    account = locked.account
    assert account.read_only, "nothing may be opened behind its back"
    close_positions_now(work, locked, REASONS[status])
    if locked.account.positions:
        challenge_id, facts = locked.stored.challenge_id, {"end": status.value}
        work.enqueue(
            "close_account", brand=account.brand, challenge_id=challenge_id, account_id=account.id, facts=facts
        )
    else:
        await accounts.end_account(work, locked, status)


async def close_account(work: UnitOfWork, job: Job) -> str:
    """Close open positions. A flat account ends as the job or its phase says, then payout or next phase follow.

    Raises WaitForQuotes while a position has no fresh quote of its own; closed positions stay closed.
    """
    assert job.account_id, "it is an account that closes"
    locked = work.locked_accounts.get(job.account_id)
    if locked is None or locked.account.status in ACCOUNT_ENDS:
        return "the account has ended"
    if "end" in job.facts:
        return await _end(work, locked, AccountStatus(job.facts["end"]))
    status, rule = await challenges.phase_end(work.conn, job.account_id)
    liquidated = rule == Rule.LIQUIDATION
    _close_all(work, locked, REASONS[AccountStatus.LIQUIDATED] if liquidated else "PHASE_ENDED")
    if status is ChallengeStatus.PASSED:
        await _complete(work, locked, job)
    elif liquidated:
        await accounts.end_account(work, locked, AccountStatus.LIQUIDATED)
    return f"closed after {status.name}"


async def close_day(work: UnitOfWork, job: Job) -> str:
    """Close the positions that were open at a finding with consequence CLOSE_DAY; the phase goes on and judges each
    fill.

    Raises WaitForQuotes while such a position has no fresh quote of its own; closed positions stay closed.
    """
    assert job.account_id, "the job names its account"
    locked = work.locked_accounts.get(job.account_id)
    if locked is None or locked.account.phase is None or not locked.account.phase.running:
        return "the phase has ended, which closes all"
    through = job.facts["through"]
    locked.account = execution.close_day(locked.account, through, work.moment, locked.conditions, work.journal)
    left = [symbol for (symbol, _), position in locked.account.positions.items() if position.seq <= through]
    if left and locked.account.phase and locked.account.phase.running:
        raise WaitForQuotes(", ".join(sorted(set(left))))
    return "closed"


async def _end(work: UnitOfWork, locked: LockedAccount, status: AccountStatus) -> str:
    _close_all(work, locked, REASONS[status])
    await accounts.end_account(work, locked, status)
    return f"closed and {status.value}"


def _close_all(work: UnitOfWork, locked: LockedAccount, reason: str) -> None:
    """Raise WaitForQuotes if a position is still open."""
    close_positions_now(work, locked, reason)
    if locked.account.positions:
        raise WaitForQuotes(", ".join(sorted({symbol for symbol, _ in locked.account.positions})))


async def _complete(work: UnitOfWork, locked: LockedAccount, job: Job) -> None:
    terms, index = locked.stored.terms, locked.stored.phase_index
    assert terms and index and job.challenge_id, "a passed account belongs to a phase"
    phase = terms.phase(index)
    if phase.type is PhaseType.FUNDED:
        await payouts.request_final_payout(work, locked, job.challenge_id, phase)
    await accounts.end_account(work, locked, AccountStatus.COMPLETED)
    if index < len(terms.phases):
        work.enqueue("open_next_phase", brand=job.brand, challenge_id=job.challenge_id, account_id=job.account_id)


async def open_next_phase(work: UnitOfWork, job: Job) -> str:
    """Open, fund and start the next phase's account, and move the challenge to it."""
    assert job.challenge_id and job.account_id
    card = await challenges.read_challenge(work.conn, job.challenge_id)
    locked = work.locked_accounts.get(job.account_id)
    before = locked.stored if locked else None
    if card["status"] != ChallengeStatus.ACTIVE or before is None or card["account_id"] != job.account_id:
        return "the challenge has moved on"
    assert before.terms and before.phase_index
    phase = before.terms.phase(before.phase_index + 1)
    opened = await accounts.open_for_phase(work, job.brand, card["client"], job.challenge_id, phase)
    phase_id = await challenges.open_phase(work.conn, job.challenge_id, phase.index, opened.account.id)
    await accounts.fund_account(work, opened)
    await accounts.start_phase(work, opened, phase_id=phase_id, challenge_id=job.challenge_id, phase=phase)
    await challenges.set_current_phase(work.conn, job.challenge_id, phase.index, opened.account.id)
    payload = {"phase_index": phase.index, "account": opened.account.id, "previous_account": job.account_id}
    work.emit("prop.challenge.phase_changed", brand=job.brand, challenge_id=job.challenge_id, payload=payload)
    return f"account {opened.account.id} opened"
