"""The Dramatiq actors: evaluator, mark to market, work queue. Each does all that waits, whatever called it."""

import dramatiq
from dramatiq import Broker, Middleware
from dramatiq.middleware import AgeLimit, Retries, TimeLimit

from config.broker import QUEUES
from workers.works import Works

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


def middleware() -> list[Middleware]:
    """Return what gives the actors' options their meaning."""
    return [AgeLimit(), TimeLimit(), Retries()]


def declare(broker: Broker) -> Works:
    """Make `evaluator()`, `mark_to_market()` and `work_queue()` known to a broker that has the middleware.

    Return what they do, so that others can have it done, too.
    """
    works = Works({name: limit / 1000 for name, limit in TIME_LIMITS.items()})

    async def evaluator() -> None:
        """Bring the accounts through every new batch: mark them, judge them, write the verdicts.

        Each worker does so with its own shards, and whoever gets the message tells the others.
        """
        await works.evaluate()

    async def mark_to_market() -> None:
        """Mark the live accounts that the evaluator left behind."""
        await works.overdue()

    async def work_queue() -> None:
        """Do the jobs that are due: fees, deposits, closings, next phases, payouts."""
        await works.queue()

    for actor in (evaluator, mark_to_market, work_queue):
        dramatiq.actor(
            queue_name=QUEUES[actor.__name__],
            broker=broker,
            time_limit=TIME_LIMITS[actor.__name__],
            max_retries=MAX_RETRIES,
            max_age=MAX_AGE,
        )(actor)
    return works
