"""The fence of a shard: a marker's transactions prove, each in itself, that its process still owns the shard."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from models import ownership
from models.sql import Connection


class ShardLost(Exception):
    """Another process owns the shard by now; what was under way is not committed."""


@dataclass(frozen=True, slots=True)
class Fence:
    """A shard's owner and the fencing number that it got with the shard."""

    shard: int
    owner: str
    number: int


_fence = ContextVar[Fence | None]("fence", default=None)


@contextmanager
def fenced(fence: Fence | None) -> Iterator[None]:
    """Let every transaction that this task begins inside demand that the fence stands; None demands nothing."""
    token = _fence.set(fence)
    try:
        yield
    finally:
        _fence.reset(token)


async def require_fence(conn: Connection) -> None:
    """Keep the shard's next owner waiting until this transaction ends. Raises ShardLost where there is one already."""
    fence = _fence.get()
    if fence is not None and not await ownership.holds_fence(conn, fence.shard, fence.owner, fence.number):
        raise ShardLost(fence.shard)
