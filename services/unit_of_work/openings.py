"""The transactions that the services open."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.connection import get_connections
from tortoise.exceptions import IntegrityError, OperationalError

from config import wakeups
from config.logs import about
from config.settings import settings
from config.tortoise_internals import transaction_client
from domain.errors import AccountQuarantined, Locked, NotFound, Refused, TimeLimit
from models import accounts
from models.accounts import ActionKey
from models.sql import Connection
from services import fencing, stamper_wakeup
from services.callers import current
from services.connections import Committing
from services.quote_cache import quote_cache
from services.unit_of_work.roots import LockRoot, one_at_a_time
from services.unit_of_work.unit import UnitOfWork

TRANSIENT = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.InvalidCachedStatementError,  # a migration has changed a table since the statement was prepared
)


@asynccontextmanager
async def _begun() -> AsyncIterator[Connection]:
    """Open a transaction that Tortoise's calls in this task join.

    Tortoise's own context manager would leave the task inside the transaction for ever if the connection were lost
    while the transaction begins or ends.
    """
    connections = get_connections()
    parent = cast("AsyncpgDBClient", connections.get("default"))
    assert not isinstance(parent, TransactionWrapper), "transactions do not nest"
    async with Committing() as conn, conn.transaction():
        await fencing.require_fence(conn)
        token = connections.set("default", transaction_client(parent, conn))
        try:
            yield conn
        finally:
            connections.reset(token)
        if caller := current():
            caller.in_doubt = True


@asynccontextmanager
async def _transaction() -> AsyncIterator[UnitOfWork]:
    """Begin; at the end flush, commit, and wake stamper and workers. Transient errors become Locked or TimeLimit."""
    try:
        async with _begun() as conn:
            work = UnitOfWork(conn, quote_cache())
            yield work
            await work.flush()
    except TRANSIENT as error:
        raise _refusal(error) from error
    except (OperationalError, IntegrityError) as error:
        if isinstance(error.__cause__, TRANSIENT):
            raise _refusal(error.__cause__) from error
        raise
    except asyncpg.NumericValueOutOfRangeError as error:
        if not work.locked_accounts:
            raise
        raise AccountQuarantined.because_of(error, *sorted(work.locked_accounts)) from error
    if work.has_events:
        stamper_wakeup.stamp_soon()
    if work.has_jobs:
        wakeups.request("work_queue")


def _refusal(error: BaseException) -> Refused:
    """Return the refusal of a transaction whose statement took too long, or could not get its locks."""
    seconds, is_late = settings().statement_seconds_max, isinstance(error, asyncpg.QueryCanceledError)
    return TimeLimit(seconds_max=f"{seconds:g}") if is_late else Locked(reason=type(error).__name__)


@asynccontextmanager
async def transaction() -> AsyncIterator[UnitOfWork]:
    """Open a transaction for objects without an account: brands, programs, wallets, quotes, tokens."""
    async with _transaction() as work:
        await work.refresh_market()
        yield work


@asynccontextmanager
async def write_transaction() -> AsyncIterator[Connection]:
    """Open a transaction for rows that are computed already: it reads no clocks and wakes nobody afterwards."""
    try:
        async with Committing() as conn, conn.transaction():
            await fencing.require_fence(conn)
            yield conn
    except TRANSIENT as error:
        raise _refusal(error) from error


@asynccontextmanager
async def root_transaction(of: LockRoot, action_keys: Sequence[ActionKey] = ()) -> AsyncIterator[UnitOfWork]:
    """Open the transaction of one lock root, with its accounts locked and caught up.

    Raises NotFound if there is no such root, AccountUnreadable if one of its accounts cannot be read,
    AccountQuarantined if one cannot be computed.

    `action_keys` are of actions to be submitted: the accounts are loaded with the stored actions of these keys. Log
    lines inside the transaction name the root.
    """
    with about(challenge=of.challenge, account=of.account):
        async with one_at_a_time(of), _transaction() as work:
            if not await _lock(work, [of], action_keys):
                raise NotFound(None, challenge=of.challenge) if of.challenge else NotFound(None, account=of.account)
            work.check_readable()
            await work.catch_up()
            yield work


@asynccontextmanager
async def group_transaction(roots: Sequence[LockRoot], action_keys: Sequence[ActionKey]) -> AsyncIterator[UnitOfWork]:
    """Open one transaction for several idle roots; a root that another process has locked is left out."""
    async with AsyncExitStack() as stack:
        for one in roots:
            await stack.enter_async_context(one_at_a_time(one))
        work = await stack.enter_async_context(_transaction())
        await _lock(work, roots, action_keys, free=True)
        await work.catch_up()
        yield work


@asynccontextmanager
async def catch_up_many(roots: Sequence[LockRoot], *, mark: bool = True) -> AsyncIterator[UnitOfWork]:
    """Open one transaction that locks and catches up many roots, for passes over all accounts.

    With `mark` False it only takes the locks, for writing a ledger row that says that catching up failed.
    """
    async with AsyncExitStack() as stack:
        for one in sorted(roots, key=lambda r: (r.challenge or 0, r.account or 0)):
            await stack.enter_async_context(one_at_a_time(one))
        work = await stack.enter_async_context(_transaction())
        await _lock(work, roots)
        if mark:
            await work.catch_up()
        yield work


async def _lock(
    work: UnitOfWork, roots: Sequence[LockRoot], action_keys: Sequence[ActionKey] = (), *, free: bool = False
) -> int:
    """Lock the roots that exist, or only unlocked ones, and load their accounts. Return the number of locked roots."""
    of_challenges = sorted(root.challenge for root in roots if root.challenge is not None)
    of_accounts = sorted(root.account for root in roots if root.account is not None)
    locked = await accounts.lock_roots(work.conn, of_challenges, of_accounts, free=free)
    read, seen = await accounts.lock_accounts_of_roots(work.conn, *locked, action_keys)
    await work.refresh_market(seen)
    if any(one.account.marked_through > work.batch for one in read.loaded):
        await work.refresh_market()  # the marker went on while its rows were waited for
    work.add_locked(read.loaded)
    work.unreadable = {one.account_id: one for one in read.unreadable}
    return sum(map(len, locked))
