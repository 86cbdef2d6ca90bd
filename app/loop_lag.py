"""How long the event loop is held at a stretch, measured for as long as the process serves; and its idle moments used.

A look that comes too late was kept from coming by whatever held the loop. Where the machine was busy with others the
processor time of the loop's own thread is less than the delay, and that counts.
"""

import asyncio
import time

from app.request.bytes_in_flight import BytesInFlight
from config import gc_tuning
from services.telemetry import LOOP_HELD_SECONDS

PAUSE_SECONDS = 0.01  # between looks, and by how much a stretch may be longer than measured
IDLE_LOOKS = 50  # at which nothing is being answered, before old garbage is looked for


async def watch(flight: BytesInFlight) -> None:
    """Look until cancelled. While nothing is being answered, look for old garbage."""
    idle = 0
    while True:
        idle = 0 if flight.bytes else idle + 1
        if idle >= IDLE_LOOKS:
            gc_tuning.tidy()
            idle = 0
        began, spent = time.perf_counter(), time.thread_time()
        await asyncio.sleep(PAUSE_SECONDS)
        late = time.perf_counter() - began - PAUSE_SECONDS
        LOOP_HELD_SECONDS.observe(max(0.0, min(late, time.thread_time() - spent)))
