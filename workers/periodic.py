"""Periodic loops of a worker: heartbeat, and a search for due work that no message announced. They need no broker."""

import asyncio
import logging
from contextlib import suppress

from config.database import AWAY
from services import periodic
from services.availability import availability
from services.ownership import Ownership
from services.supervision import Supervisor
from workers.works import Works

INTERVAL_SECONDS = 0.5

log = logging.getLogger(__name__)


async def tick_for_ever(supervisor: Supervisor, works: Works) -> None:
    """Start due work every INTERVAL_SECONDS, until cancelled, and report the unhealthy tasks of this process.

    The first of several failures is logged; while the database is unavailable, the loop waits.
    """
    failing = False
    while True:
        try:
            waiting = await periodic.run_round("worker", supervisor.unwell())
            works.evaluate_soon(waiting.shards)
            if waiting.jobs:
                works.queue.start()
            if waiting.overdue:
                works.overdue.start()
            if failing:
                log.info("ticking again")
            failing = False
        except AWAY as error:
            availability().suspect(error)
            await availability().settled()
        except Exception:
            if not failing:
                log.exception("a tick failed, trying on")
            failing = True
        await asyncio.sleep(INTERVAL_SECONDS)


async def own_for_ever(owner: Ownership, works: Works) -> None:
    """Keep this worker's share of the shards, until cancelled, and evaluate each new shard at once."""
    while True:
        try:
            owner.shares.clear()
            works.evaluate_soon(await owner.keep())
        except AWAY as error:
            availability().suspect(error)
            await availability().settled()
        with suppress(TimeoutError):
            async with asyncio.timeout(INTERVAL_SECONDS):
                await owner.shares.wait()


async def listen_for_ever(owner: Ownership, works: Works) -> None:
    """Evaluate new batches as soon as another worker announces them, until cancelled."""
    while True:
        await owner.batches.wait()
        owner.batches.clear()
        works.evaluate_soon()
