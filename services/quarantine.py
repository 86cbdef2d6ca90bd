"""Quarantine of accounts that cannot be read or marked: recorded on their ledger, listed for operators, skipped by the
marker.

Other accounts are not affected. An account leaves the quarantine as soon as it has been caught up again.
"""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from config.logs import about
from domain.errors import REASON_MAX, AccountQuarantined, AccountUnreadable, Locked, Refused
from domain.ledger import Facts, Kind, follow
from domain.money import ZERO
from models import quarantine as rows
from models.quarantine import QuarantineEntry
from services.actions import tradable_lock_root
from services.challenges import checked_reason
from services.connections import LOST, SHORT
from services.fencing import ShardLost
from services.principals import Principal, Role
from services.unit_of_work.openings import catch_up_many, write_transaction
from services.unit_of_work.reads import read_connection
from services.unit_of_work.roots import LockRoot
from services.unit_of_work.unit import UnitOfWork

__all__ = [
    "QuarantineEntry",
    "catch_up_all",
    "entries_of_accounts",
    "isolate",
    "isolating",
    "release",
    "release_by_hand",
]

log = logging.getLogger(__name__)

TROUBLES = (Locked, ShardLost, *LOST, *SHORT)
"""Faults of the database or the shard, not of an account: the pass ends and is begun again."""


async def catch_up_all(of: Mapping[int, LockRoot]) -> dict[int, int]:
    """Catch accounts up in one transaction, or one by one if that fails.

    Return the accounts that failed, with their versions; they are in quarantine, and the others are not. Raises the
    faults in TROUBLES.
    """
    try:
        async with catch_up_many(sorted(set(of.values()), key=str)) as work:
            await rows.release_accounts(work.conn, [one for one in of if one not in work.unreadable])
    except TROUBLES:
        raise
    except Exception:
        log.exception("a sweep of %d accounts failed; they are taken one by one", len(of))
        return await _one_by_one(of)
    unreadable = {one: work.unreadable[one].reason for one in of if one in work.unreadable}
    return {one: await isolate(of[one], one, reason) for one, reason in unreadable.items()}


async def _one_by_one(of: Mapping[int, LockRoot]) -> dict[int, int]:
    failed = {}
    for account_id, root in of.items():
        reason: Exception | None = None
        try:
            async with catch_up_many([root]) as work:
                if account_id not in work.unreadable:
                    await rows.release_accounts(work.conn, [account_id])
        except TROUBLES:
            raise
        except Exception as error:  # noqa: BLE001 - it is logged and recorded
            reason = error
        else:
            if account_id in work.unreadable:
                reason = work.unreadable[account_id].reason
        if reason is not None:
            failed[account_id] = await isolate(root, account_id, reason)
    return failed


async def isolate(of: LockRoot, account_id: int, reason: Exception) -> int:
    """Put an account into quarantine and record that on its ledger, once per version. Return its version after that.

    If its ledger cannot be written, the quarantine alone has the reason. Raises the faults in TROUBLES.
    """
    reason = _cause(reason)
    with about(account=account_id, challenge=of.challenge):
        log.error("account %s cannot be marked", account_id, exc_info=reason)
        error, message = type(reason).__name__, str(reason)[:REASON_MAX]
        try:
            async with catch_up_many([of], mark=False) as work:
                return await _note(work, account_id, error, message)
        except TROUBLES:
            raise
        except Exception:
            log.exception("the ledger of account %s cannot be written", account_id)
        async with write_transaction() as conn:
            version = await rows.ledger_version(conn, account_id)
            await rows.quarantine_account(conn, account_id, version, error, message)
        return version


async def _note(work: UnitOfWork, account_id: int, error: str, message: str) -> int:
    before = await rows.quarantine_entry(work.conn, account_id)
    version = await rows.ledger_version(work.conn, account_id)
    if before and (before.seq, before.error, before.message) == (version, error, message):
        return version
    facts: Facts = {"error": error, "message": message}
    if held := work.locked_accounts.get(account_id):
        held.account = work.journal.append(held.account, Kind.MARK_FAILED, work.now, work.batch, facts)
        version = held.account.seq
    elif one := work.unreadable.get(account_id):
        end = [(Kind.MARK_FAILED, facts, ZERO)]
        [row] = follow(one.head, account_id, one.seq, one.cash, end, work.now, work.batch)
        work.journal.rows.append(row)
        await rows.move_head(work.conn, account_id, row.seq, row.hash)
        version = row.seq
    await rows.quarantine_account(work.conn, account_id, version, error, message)
    return version


@asynccontextmanager
async def isolating(of: LockRoot, account_id: int) -> AsyncIterator[None]:
    """Put the account into quarantine if the body fails because of it, and refuse the request.

    Raises AccountUnreadable and AccountQuarantined, and any other refusal of the body.
    """
    try:
        yield
    except (AccountUnreadable, AccountQuarantined) as error:
        await isolate(of, account_id, error)
        raise
    except (Refused, *TROUBLES):
        raise
    except Exception as error:
        await isolate(of, account_id, error)
        raise AccountQuarantined.because_of(error, account_id) from error


def _cause(error: Exception) -> Exception:
    """Return the original error of a refusal that passes it on."""
    passed_on = isinstance(error, AccountUnreadable | AccountQuarantined)
    return error.__cause__ if passed_on and isinstance(error.__cause__, Exception) else error


async def entries_of_accounts(accounts: Sequence[int]) -> dict[int, QuarantineEntry]:
    """Return why accounts are in quarantine, for those that are."""
    async with read_connection() as conn:
        return await rows.entries_of_accounts(conn, accounts)


async def release(accounts: Sequence[int]) -> None:
    """Release accounts from quarantine: they were read and marked."""
    async with write_transaction() as conn:
        await rows.release_accounts(conn, list(accounts))
    log.info("accounts that left the quarantine: %s", ", ".join(map(str, accounts)))


async def release_by_hand(principal: Principal, account_id: int, reason: str, *, pass_over: bool = False) -> None:
    """Compute the account again under its lock and release it from quarantine; any other account stays as it is.

    With `pass_over` it goes on from the newest quotes: the batches since its last mark neither mark nor judge it.
    Raises Forbidden, NotFound, InvalidInput without a reason; AccountUnreadable and AccountQuarantined if it still
    cannot be read or computed.
    """
    principal.require(Role.ADMIN, Role.MANAGER)
    checked_reason(reason)
    of = await tradable_lock_root(principal, account_id, "accountId")
    async with read_connection() as conn:
        if await rows.quarantine_entry(conn, account_id) is None:
            return
    async with isolating(of, account_id), catch_up_many([of], mark=False) as work:
        work.check_readable()
        for held in work.locked_accounts.values():
            await work.bring(held, pass_over=pass_over and held.account.id == account_id)
        entry = await rows.quarantine_entry(work.conn, account_id)
        if entry is not None:
            await rows.release_accounts(work.conn, [account_id])
            _audit(work, principal, entry, reason, pass_over=pass_over)


def _audit(work: UnitOfWork, principal: Principal, entry: QuarantineEntry, reason: str, *, pass_over: bool) -> None:
    held = work.locked_accounts.get(entry.account_id)
    before, after = (held.stored.account, held.account) if held else (None, None)
    work.audit(
        principal,
        "releaseQuarantine",
        object_kind="account",
        object_id=entry.account_id,
        brand=after.brand if after else principal.brand,
        reason=reason,
        before={"error": entry.error, "message": entry.message, "marked_through": before and before.marked_through},
        after={"pass_over": pass_over, "marked_through": after and after.marked_through},
    )
