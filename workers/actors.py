"""The Dramatiq actors: evaluator, mark to market, work queue. A message makes an actor do all work that is due."""

import dramatiq
from dramatiq import Broker, Middleware
from dramatiq.middleware import AgeLimit, Retries

from config.broker import QUEUES
from workers.works import Works

MINUTE = 60.0  # seconds

TIME_LIMITS = {  # seconds, kept on the event loop: an exception that Dramatiq raises in a thread may leave locks held
    # Loading a large shard, or catching an account up over a million batches, takes minutes; a longer run is stuck.
    # After a cancellation the shard's memory is discarded and the next message loads it again.
    "evaluator": 10 * MINUTE,
    # It marks the few accounts that the evaluator left behind; each may be as slow as in the evaluator.
    "mark_to_market": 10 * MINUTE,
    # A job is one transaction of milliseconds. A cancelled job is rolled back, counts as an attempt, and is due again.
    "work_queue": 5 * MINUTE,
}
MAX_RETRIES = 0
"""A message carries no data: jobs and batches are rows of tables, each job counts its own attempts, and the periodic
loop looks every half second. A repeated message would only come late."""

MAX_AGE = 3_600_000
"""In milliseconds. The work of an older message was done or announced again long ago. The limit is not shorter, because
the clocks of two machines measure the age."""


def middleware() -> list[Middleware]:
    """Return the middleware that implements the actors' options."""
    return [AgeLimit(), Retries()]


def declare(broker: Broker) -> Works:
    """Declare `evaluator()`, `mark_to_market()` and `work_queue()` on a broker that has the middleware.

    Return their work, so that other callers can start it too.
    """
    works = Works(TIME_LIMITS)

    async def evaluator() -> None:
        """Mark the accounts at every new batch, judge them and write the verdicts.

        Each worker does so for its own shards; the worker that receives the message notifies the others.
        """
        await works.evaluate()

    async def mark_to_market() -> None:
        """Mark the live accounts that the evaluator skipped."""
        await works.overdue()

    async def work_queue() -> None:
        """Run the due jobs: fees, deposits, closings, next phases, payouts."""
        await works.queue()

    for actor in (evaluator, mark_to_market, work_queue):
        dramatiq.actor(
            queue_name=QUEUES[actor.__name__],
            broker=broker,
            max_retries=MAX_RETRIES,
            max_age=MAX_AGE,
        )(actor)
    return works
