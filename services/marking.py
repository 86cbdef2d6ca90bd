"""Marking to market without the columnar marker: one account or all of them, each under its lock."""

from dataclasses import dataclass
from datetime import timedelta

from models import quarantine as quarantine_rows
from models.columnar import marks
from services import quarantine
from services.actions import tradable_lock_root
from services.columnar.passes import ROOTS_PER_SWEEP, STIRRED_EVERY, lock_root
from services.principals import Principal
from services.unit_of_work.locked_account import LockedAccount
from services.unit_of_work.openings import root_transaction, transaction
from services.unit_of_work.reads import read_connection
from services.unit_of_work.unit import UnitOfWork

OVERDUE = 2 * STIRRED_EVERY
"""The age of a mark at which an account counts as left behind: it could not be marked, and nothing tries again."""


async def mark_account(principal: Principal, account_id: int) -> None:
    """Bring one account to the newest batch.

    Raises NotFound for one that is not the principal's, AccountUnreadable and AccountQuarantined for one that cannot
    be marked.
    """
    of = await tradable_lock_root(principal, account_id, "accountId")
    async with quarantine.isolating(of, account_id), root_transaction(of) as work:
        await quarantine_rows.release_accounts(work.conn, [account_id])
        if locked := work.locked_accounts.get(account_id):
            _note(work, principal, locked)


def _note(work: UnitOfWork, principal: Principal, locked: LockedAccount) -> None:
    before, after = locked.stored.account, locked.account
    work.audit(
        principal,
        "markAccountToMarket",
        object_kind="account",
        object_id=after.id,
        brand=after.brand,
        before={"marked_through": before.marked_through, "seq": before.seq},
        after={"marked_through": after.marked_through, "seq": after.seq},
    )


@dataclass(frozen=True, slots=True)
class Marked:
    """Counts of accounts marked at the newest batch and of failed ones, whose ledgers have the reason."""

    accounts: int
    failed: int


async def mark_all(principal: Principal | None = None, *, behind: timedelta | None = None) -> Marked:
    """Bring every live account to the newest batch; a failure is recorded, and the others go on.

    With `behind`, only accounts that no batch recorded within that time has marked.
    """
    async with read_connection() as conn:
        live = await marks.live_accounts(conn, behind)
    roots = {account: lock_root(account, challenge) for account, challenge in live}
    ids = sorted(roots)
    failed = 0
    for start in range(0, len(ids), ROOTS_PER_SWEEP):
        chunk = {account_id: roots[account_id] for account_id in ids[start : start + ROOTS_PER_SWEEP]}
        failed += len(await quarantine.catch_up_all(chunk))
    marked = Marked(len(ids) - failed, failed)
    if principal is not None:
        async with transaction() as work:
            work.audit(
                principal, "markAllToMarket", object_kind="desk", object_id="accounts", after={
                    "batch": work.batch, "accounts": marked.accounts, "failed": marked.failed
                },
            )  # fmt: skip
    return marked
