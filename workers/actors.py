"""The Dramatiq actors: evaluator, mark to market, work queue. Each does all that waits, whatever called it."""

import time
from collections.abc import Awaitable, Callable
from functools import partial

import dramatiq
from dramatiq import Broker, Middleware
from dramatiq.middleware import AgeLimit, Retries, TimeLimit

from config import wakeups
from config.broker import QUEUES
from services import jobs, marks

WORK_SECONDS = 60
"""A message ends after about so long, and asks for another where work is left: a busy shard is no stuck one."""

MINUTE, HOUR = 60_000, 3_600_000  # in milliseconds, as Dramatiq counts

TIME_LIMITS = {
    # Loading a large shard, or catching an account up over a million batches, takes minutes; what takes longer waits
    # for something that never comes. Cancelled, the shard's memory is thrown away and the next message loads it anew.
    "evaluator": 10 * MINUTE,
    # It goes over the accounts that were left behind, a few of very many, each as slow as it may be for the evaluator.
    "mark_to_market": 10 * MINUTE,
    # A job is one transaction of milliseconds. One that is cancelled is rolled back, has used up an attempt, and is due
    # again.
    "work_queue": 5 * MINUTE,
}
MAX_RETRIES = 0
"""A message carries nothing: the jobs and batches it announces stand in tables, where each job counts its own attempts
and the periodic loop looks every half second. A message tried again would only come late."""

MAX_AGE = HOUR
"""A message that waited longer announces what was done or announced again long ago. Not shorter, because its age is
measured by two machines' clocks."""


class Coalesced:
    """Runs `drain` for one message at a time; a message that comes meanwhile is done at once and makes it run again.

    So a long pass never takes more than one of the worker's threads. Used from one event loop only.
    """

    def __init__(self, drain: Callable[[], Awaitable[object]], ask_again: Callable[[], None]) -> None:
        self.drain = drain
        self.ask_again = ask_again
        self.running = False
        self.wanted = False

    async def __call__(self) -> None:
        self.wanted = True
        if self.running:
            return
        self.running = True
        ends_at = time.monotonic() + WORK_SECONDS
        try:
            while self.wanted and time.monotonic() < ends_at:
                self.wanted = False
                await self.drain()
        finally:
            self.running = False
        if self.wanted:
            self.ask_again()


def middleware() -> list[Middleware]:
    """Return what gives the actors' options their meaning."""
    return [AgeLimit(), TimeLimit(), Retries()]


def declare(broker: Broker) -> None:
    """Make `evaluator(shard)`, `mark_to_market()` and `work_queue()` known to a broker that has the middleware."""
    queue = Coalesced(partial(jobs.drain, WORK_SECONDS), partial(wakeups.request, "work_queue"))
    overdue = Coalesced(partial(marks.mark_all, behind=marks.OVERDUE), partial(wakeups.request, "mark_to_market"))
    shards: dict[int, Coalesced] = {}

    async def evaluator(shard: int) -> None:
        """Bring a shard's accounts through every new batch: mark them, judge them, write the verdicts."""
        if shard not in shards:
            ask_again = partial(wakeups.request, "evaluator", shard)
            shards[shard] = Coalesced(partial(marks.drain, shard, WORK_SECONDS), ask_again)
        await shards[shard]()

    async def mark_to_market() -> None:
        """Mark the live accounts that the evaluator left behind."""
        await overdue()

    async def work_queue() -> None:
        """Do the jobs that are due: fees, deposits, closings, next phases, payouts."""
        await queue()

    for actor in (evaluator, mark_to_market, work_queue):
        dramatiq.actor(
            queue_name=QUEUES[actor.__name__],
            broker=broker,
            time_limit=TIME_LIMITS[actor.__name__],
            max_retries=MAX_RETRIES,
            max_age=MAX_AGE,
        )(actor)
