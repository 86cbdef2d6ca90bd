"""Decision actions of a trader or an AI: a batch passes the gates, is executed and stored, or is only previewed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from config.settings import settings
from domain import execution, proposals
from domain.accounts import Account, Journal
from domain.errors import InvalidInput, NotFound
from domain.lifecycles import ActionStatus
from domain.orders import Action, ActionResult
from domain.snapshots import Snapshot, snapshot
from domain.validation import text_fault
from models import accounts, orders
from services import account_access, snapshots
from services.access import AccountAccess, can_access
from services.group_commit import Submission, group_commit
from services.principals import Principal
from services.telemetry import ACTION_BATCH_SECONDS, ACTIONS, ACTIONS_UNSTORED, timed
from services.unit_of_work.locked_account import LockedAccount
from services.unit_of_work.reads import read_connection
from services.unit_of_work.reads import read_snapshot as consistent
from services.unit_of_work.roots import LockRoot
from services.unit_of_work.unit import UnitOfWork

BATCH_MAX = 250


@dataclass(frozen=True, slots=True)
class Preview:
    """The results that a batch would have, without seq because nothing is stored, and the account after the batch."""

    results: list[ActionResult]
    after: Snapshot


async def submit(principal: Principal, account_id: int, run: str, actions: Sequence[Action]) -> list[ActionResult]:
    """Submit a batch of actions to one account in one transaction. Return one result per action, in the same order.

    Raises InvalidInput for an empty batch, a batch that is too large or an unusable run, NotFound for an account that
    the principal may not trade. An action that cannot be read and a refusal by a gate are results, not errors. A
    refusal without seq is not stored: its id may be sent again and is then checked anew.
    """
    batch = _checked(account_id, run, actions)
    of = await account_access.cached_lock_root(principal, account_id)
    with timed(ACTION_BATCH_SECONDS):
        judged = await _submit(Submission(principal, account_id, of, run, batch.judged)) if batch.judged else []
    results = batch.with_results(judged)
    ended = Counter((result.status, result.refusal.code if result.refusal else "") for result in results)
    for (status, code), many in ended.items():
        ACTIONS.labels(status.lower(), code).inc(many)
    unstored = Counter(result.refusal.code for result in results if result.refusal and result.seq is None)
    for code, many in unstored.items():
        ACTIONS_UNSTORED.labels(code).inc(many)
    return results


async def _submit(submission: Submission) -> list[ActionResult]:
    if not settings().fast_group_commit:
        return await _alone(submission)
    return await group_commit().answer(submission, _execute, _alone)


async def _alone(submission: Submission) -> list[ActionResult]:
    """Execute the actions in a transaction of their own."""
    account_id = submission.account_id
    async with account_access.trading_transaction(submission.principal, account_id, submission.asked) as work:
        locked = work.locked_accounts.get(account_id)
        if locked is None:
            locked = await work.load_account(account_id)  # the account has ended: every action is refused
            locked.stored = replace(locked.stored, has_stored_answer=True)
        return await _execute(work, locked, submission)


async def _execute(work: UnitOfWork, locked: LockedAccount, submission: Submission) -> list[ActionResult]:
    """Execute or refuse each action on the locked account; a stored action returns its stored result."""
    keys = [action.key for action in submission.actions]
    known = (
        await orders.stored_results(work.conn, submission.account_id, keys) if locked.stored.has_stored_answer else {}
    )
    before = locked.account
    locked.account, results = execution.submit(
        before, submission.actions, known, work.moment, locked.conditions, work.journal
    )
    if submission.principal.is_audited and any(result.seq is not None for result in results):
        _note(work, submission.principal, before, locked.account, submission.run, results)
    return results


def _note(
    work: UnitOfWork, principal: Principal, before: Account, after: Account, run: str, results: Sequence[ActionResult]
) -> None:
    """Add the batch to the audit chain."""
    counts = Counter("replayed" if result.replayed else result.status.value.lower() for result in results)
    work.audit(
        principal,
        "submitDecisionActions",
        object_kind="account",
        object_id=after.id,
        brand=after.brand,
        before={"seq": before.seq},
        after={"seq": after.seq, "run": run, **counts},
    )


async def preview(principal: Principal, account_id: int, run: str, actions: Sequence[Action]) -> Preview:
    """Return what `submit` would return now: the same fold, gates and fills on a copy, without locks and writes.

    Raises what `submit` raises.
    """
    batch = _checked(account_id, run, actions)
    await tradable_lock_root(principal, account_id, "accountId")
    async with consistent() as conn:
        known = await orders.stored_results(conn, account_id, [action.key for action in batch.judged])
        loaded = (await accounts.load_accounts(conn, [account_id])).all_accounts
    [now] = await snapshots.bring_to_present(loaded)
    account, results = execution.submit(now.account, batch.judged, known, now.moment, now.conditions, Journal())
    results = [result if result.replayed else replace(result, seq=None) for result in results]
    written = now.stored.account
    after = snapshot(account, now.moment, now.conditions.catalogue, seq=written.seq, head=written.head)
    return Preview(batch.with_results(results), after)


async def tradable_lock_root(principal: Principal, account_id: int, field: str) -> LockRoot:
    """Return the lock root of an account that the principal may trade. Raises NotFound, naming the field, for any
    other.
    """
    async with read_connection() as conn:
        found = await accounts.root_of(conn, account_id)
    if found is None or not can_access(principal, AccountAccess(**found)):
        raise NotFound(field, account=account_id)
    return LockRoot.of_challenge(found["challenge_id"]) if found["challenge_id"] else LockRoot.of_account(account_id)


@dataclass(frozen=True, slots=True)
class CheckedBatch:
    """A batch divided into actions to be executed and, by their place in the batch, actions that cannot be read."""

    judged: list[Action]
    refused: dict[int, ActionResult]

    def with_results(self, judged: Sequence[ActionResult]) -> list[ActionResult]:
        """Return one result per action, in the order of the batch."""
        if not self.refused:
            return list(judged)
        others = iter(judged)
        places = range(len(judged) + len(self.refused))
        return [self.refused.get(place) or next(others) for place in places]


def _checked(account_id: int, run: str, actions: Sequence[Action]) -> CheckedBatch:
    """Check the batch and make its actions storable. A fault of one action refuses that action, not the batch."""
    if not 1 <= len(actions) <= BATCH_MAX:
        raise InvalidInput("actions", size_max=BATCH_MAX, size=len(actions))
    if fault := text_fault(run, proposals.TEXT_MAX):
        raise InvalidInput("runId", reason=fault)
    batch = CheckedBatch([], {})
    for place, proposed in enumerate(actions):
        action = proposals.understood(proposed)
        if refusal := proposals.fault_of(action):
            content = proposals.with_storable_texts(action)
            batch.refused[place] = ActionResult(account_id, None, content, ActionStatus.REJECTED, refusal)
        else:
            batch.judged.append(proposals.with_storable_numbers(action))
    return batch
