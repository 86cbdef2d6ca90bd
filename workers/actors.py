"""The actors: each drains what waits, however many wake-ups asked for it."""

from collections.abc import Awaitable, Callable

import dramatiq
from dramatiq import Broker

from config.broker import QUEUES
from services import jobs, marks


class Coalesced:
    """Runs `drain` for one message at a time; a message that comes meanwhile makes it run once more and is done.

    So a long pass of the marker never takes more than one of the worker's threads. Used from one event loop only.
    """

    def __init__(self, drain: Callable[[], Awaitable[object]]) -> None:
        self.drain = drain
        self.running = False
        self.wanted = False

    async def __call__(self) -> None:
        self.wanted = True
        if self.running:
            return
        self.running = True
        try:
            while self.wanted:
                self.wanted = False
                await self.drain()
        finally:
            self.running = False


def declare(broker: Broker) -> None:
    """Make `drain_jobs` and `drain_marks(shard)` known to `broker`. One that fails is logged; the next tries again."""
    all_jobs = Coalesced(jobs.drain)
    shards: dict[int, Coalesced] = {}

    async def drain_jobs() -> None:
        await all_jobs()

    async def drain_marks(shard: int) -> None:
        if shard not in shards:
            shards[shard] = Coalesced(lambda: marks.drain(shard))
        await shards[shard]()

    dramatiq.actor(queue_name=QUEUES["drain_jobs"], broker=broker)(drain_jobs)
    dramatiq.actor(queue_name=QUEUES["drain_marks"], broker=broker)(drain_marks)
