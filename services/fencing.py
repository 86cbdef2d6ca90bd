"""The fence of a shard: each transaction of a marker proves that its process still owns the shard."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from models import ownership
from models.sql import Connection


class ShardLost(Exception):
    """Another process owns the shard now; the transaction is rolled back."""


@dataclass(frozen=True, slots=True)
class Fence:
    """A shard, its owner and the owner's fencing number."""

    shard: int
    owner: str
    number: int


_fence = ContextVar[Fence | None]("fence", default=None)


@contextmanager
def fenced(fence: Fence | None) -> Iterator[None]:
    """Let every transaction that this task begins inside require the fence; None requires nothing."""
    token = _fence.set(fence)
    try:
        yield
    finally:
        _fence.reset(token)


async def require_fence(conn: Connection) -> None:
    """Block a change of the shard's owner until this transaction ends. Raises ShardLost if the owner has changed
    already.
    """
    fence = _fence.get()
    if fence is not None and not await ownership.holds_fence(conn, fence.shard, fence.owner, fence.number):
        raise ShardLost(fence.shard)
