"""A cache of who may access which account, so that a trader's action needs no query for it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from domain.errors import NotFound
from models import accounts
from models.accounts import ActionKey
from services.access import AccountAccess, can_access
from services.per_database import PerDatabase
from services.principals import Principal
from services.unit_of_work.openings import root_transaction
from services.unit_of_work.reads import read_connection
from services.unit_of_work.roots import LockRoot
from services.unit_of_work.unit import UnitOfWork

KEPT = 100_000

_kept: PerDatabase[dict[int, AccountAccess]] = PerDatabase(dict)
"""Cached entries never change while their lock root exists; the transaction of a root that is gone raises NotFound."""


@asynccontextmanager
async def trading_transaction(
    principal: Principal, account_id: int, asked: Sequence[ActionKey]
) -> AsyncIterator[UnitOfWork]:
    """Open the transaction of an account that the principal may trade. Raises NotFound for any other account."""
    async with AsyncExitStack() as stack:
        try:
            work = await stack.enter_async_context(
                root_transaction(await cached_lock_root(principal, account_id), asked)
            )
        except NotFound:
            if _kept().pop(account_id, None) is None:
                raise
            work = await stack.enter_async_context(
                root_transaction(await cached_lock_root(principal, account_id), asked)
            )
        yield work


async def cached_lock_root(principal: Principal, account_id: int) -> LockRoot:
    """Return the lock root of an account that the principal may trade, from the cache if possible. Raises NotFound."""
    target = _kept().get(account_id) or await _look_up(account_id)
    if target is None or not can_access(principal, target):
        raise NotFound("accountId", account=account_id)
    return LockRoot.of_challenge(target.challenge_id) if target.challenge_id else LockRoot.of_account(account_id)


async def _look_up(account_id: int) -> AccountAccess | None:
    async with read_connection() as conn:
        found = await accounts.root_of(conn, account_id)
    if found is None:
        return None
    kept = _kept()
    if len(kept) >= KEPT:
        kept.clear()
    kept[account_id] = target = AccountAccess(**found)
    return target
