"""The worker's heartbeat and safety net: it looks for what no wake-up announced."""

import asyncio
import logging

import asyncpg

from config.broker import create_tables
from services import periodic
from services.supervision import Supervisor

INTERVAL_SECONDS = 0.5
BROKER_SECONDS = 10  # how soon a broker that was wiped is usable again

_AWAY = (OSError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, asyncpg.InterfaceError)

log = logging.getLogger(__name__)


async def tick_for_ever(supervisor: Supervisor) -> None:
    """Tick until cancelled. A tick that fails, as while PostgreSQL restarts, is logged once and the next one tried.

    Each tick tells the desk which tasks of this process are not well.
    """
    failing = False
    while True:
        try:
            await periodic.tick("worker", supervisor.unwell())
            if failing:
                log.info("ticking again")
            failing = False
        except Exception as error:
            if not failing:
                log.error("a tick failed, trying on: %s", error, exc_info=not isinstance(error, _AWAY))
            failing = True
        await asyncio.sleep(INTERVAL_SECONDS)


async def keep_broker(url: str) -> None:
    """See to it that the broker has its tables, until cancelled."""
    while True:
        try:
            await asyncio.to_thread(create_tables, url)
        except Exception as error:  # noqa: BLE001 - and this one too
            log.debug("the broker is away: %s", error)
        await asyncio.sleep(BROKER_SECONDS)
