"""Lock roots, and this process's own queue for each."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from weakref import WeakValueDictionary

from services.callers import stoppable


@dataclass(frozen=True, slots=True, order=True)
class LockRoot:
    """The row whose lock covers an account: its challenge, or the account itself if it has none."""

    challenge: int | None
    account: int | None

    @classmethod
    def of_challenge(cls, challenge_id: int) -> "LockRoot":
        return cls(challenge_id, None)

    @classmethod
    def of_account(cls, account_id: int) -> "LockRoot":
        return cls(None, account_id)


_keyed: WeakValueDictionary[LockRoot, asyncio.Lock] = WeakValueDictionary()


@asynccontextmanager
async def one_at_a_time(root: LockRoot) -> AsyncIterator[None]:
    """Wait for this process's other work on the root before a connection is taken, so that nobody else waits for it.

    Always in this order: a task that has a connection, and so a place in its caller's share, waits for no root.
    """
    lock = _keyed.get(root)
    if lock is None:
        _keyed[root] = lock = asyncio.Lock()
    if lock.locked():
        with stoppable():
            await lock.acquire()
    else:
        await lock.acquire()
    try:
        yield
    finally:
        lock.release()


def is_idle(root: LockRoot) -> bool:
    """Return whether no task of this process has the root or waits for it."""
    return root not in _keyed
