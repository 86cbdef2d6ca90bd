"""The worker's heartbeat and safety net: it looks for what no wake-up announced, and needs no broker for that."""

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
    """Tick until cancelled, and have done what waits. A tick that fails is logged once; a database that is away is
    waited for.

    Each tick tells the desk which tasks of this process are not well.
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
    """Keep this worker's share of the shards until cancelled, and judge at once what it takes."""
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
    """Judge what waits as soon as another worker tells of it, until cancelled."""
    while True:
        await owner.batches.wait()
        owner.batches.clear()
        works.evaluate_soon()
