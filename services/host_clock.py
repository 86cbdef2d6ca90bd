"""The database's clock as this process knows it, so that all hosts judge times by one clock.

A process reads the database's time now and then and remembers its own offset. A large offset is logged once and is the
metric `propdesk_clock_offset_seconds`. It does not show which of the clocks is wrong.
"""

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta

from config.database import AWAY
from models import system
from services.connections import control
from services.telemetry import CLOCK_OFFSET

OFFSET_SECONDS_MAX = 5.0  # beyond it the log says so
WATCH_SECONDS = 10
QUESTION_SECONDS_MAX = 1.0  # a slower answer says too little

log = logging.getLogger(__name__)

_offset = timedelta(0)  # of the database's clock from ours


def database_time() -> datetime:
    """Return the database's time by the last measured offset."""
    return datetime.now(UTC) + _offset


async def run_host_clock() -> None:
    """Measure the offset until cancelled."""
    differs = False
    while True:
        try:
            seconds = await measure_offset()
        except AWAY:
            seconds = None
        if seconds is not None and (abs(seconds) > OFFSET_SECONDS_MAX) != differs:
            differs = not differs
            if differs:
                log.warning(
                    "the clock of this host is %.1f s %s the database's; set both by NTP; until then ends of tokens "
                    "and the age of quotes are judged by the database's",
                    abs(seconds),
                    "behind" if seconds > 0 else "ahead of",
                )
            else:
                log.info("the clock of this host agrees with the database's again")
        await asyncio.sleep(WATCH_SECONDS)


async def measure_offset() -> float | None:
    """Return by how many seconds the database's clock is ahead of ours; None if the answer took too long."""
    global _offset
    async with control() as conn:
        began, before = time.monotonic(), datetime.now(UTC)
        theirs = await system.database_time(conn)
        took = time.monotonic() - began
    if took > QUESTION_SECONDS_MAX:
        return None
    _offset = theirs - before - timedelta(seconds=took / 2)
    CLOCK_OFFSET.set(_offset.total_seconds())
    return _offset.total_seconds()
