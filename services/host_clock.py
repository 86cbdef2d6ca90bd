"""The database's clock, as this process knows it: what ends and begins is judged by one clock on every host.

A process asks for the database's time now and then and remembers how far its own is from it. A difference that matters
is one line in the log and a metric, `propdesk_clock_offset_seconds`. Nobody here knows which of the clocks is wrong.
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
QUESTION_SECONDS_MAX = 1.0  # a longer one tells too little

log = logging.getLogger(__name__)

_offset = timedelta(0)  # of the database's clock from ours


def database_time() -> datetime:
    """The database's time, as far as it is known."""
    return datetime.now(UTC) + _offset


async def run_host_clock() -> None:
    """Compare the clocks until cancelled."""
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
    """Ask the database for its time; return by how many seconds it is ahead of ours. None: the answer took too long."""
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
