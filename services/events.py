"""The stamper gives committed events of the outbox their dense position and notifies the subscribers' processes."""

import asyncio
import logging

from models import events
from services import stamper_wakeup
from services.availability import AWAY, availability
from services.telemetry import STAMPED
from services.unit_of_work.openings import transaction
from services.unit_of_work.reads import read_connection

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
RETRY_SECONDS = 0.5


async def stamp() -> int:
    """Stamp all committed events, then notify; return how many there were."""
    async with read_connection() as conn:
        waiting = await events.stamper_work(conn)
    if not waiting.events and not waiting.has_moved:
        return 0
    async with transaction() as work:
        await events.lock_stamping(work.conn)
        if waiting.has_moved:
            await events.begin_epoch(work.conn)
        stamped = await events.stamp(work.conn)
    if stamped:
        STAMPED.inc(stamped)
        async with read_connection() as conn:
            await events.notify_stamper(conn)
    return stamped


async def run_stamper(stop: asyncio.Event) -> None:
    """Stamp after every commit of this process, and once a second for processes that ended before they could."""
    wake = stamper_wakeup.stamper_event()
    while not stop.is_set():
        try:
            wake.clear()
            await stamp()
            async with asyncio.timeout(POLL_SECONDS):  # wait_for would forget a cancellation that comes with a wake-up
                await _either(wake, stop)
        except TimeoutError:
            continue
        except AWAY as error:
            availability().suspect(error)
            await availability().settled()
        except Exception as error:  # noqa: BLE001 - after any fault the committed events are still to be stamped
            log.warning("events cannot be stamped for now: %s", error)
            await asyncio.sleep(RETRY_SECONDS)


async def _either(*those: asyncio.Event) -> None:
    """Return when one of the events is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in those]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def stamp_for_ever() -> None:
    """Stamp until cancelled."""
    await run_stamper(asyncio.Event())
