"""The watch of the event loop: how long a task blocks it; garbage collection while it is idle.

A sleep that ends late was delayed by work that held the loop. If other processes delayed it, the loop's thread used
less processor time than the delay; the smaller of the two counts.
"""

import asyncio
import time

from app.request.bytes_in_flight import BytesInFlight
from config import gc_tuning
from services.telemetry import LOOP_HELD_SECONDS

PAUSE_SECONDS = 0.01  # between measurements, and the largest error of one
IDLE_ROUNDS = 50  # consecutive measurements without answers in flight before old garbage is collected


async def watch_loop(flight: BytesInFlight) -> None:
    """Measure until cancelled. While no answer is in flight, collect old garbage."""
    idle = 0
    while True:
        idle = 0 if flight.bytes else idle + 1
        if idle >= IDLE_ROUNDS:
            gc_tuning.tidy()
            idle = 0
        began, spent = time.perf_counter(), time.thread_time()
        await asyncio.sleep(PAUSE_SECONDS)
        late = time.perf_counter() - began - PAUSE_SECONDS
        LOOP_HELD_SECONDS.observe(max(0.0, min(late, time.thread_time() - spent)))
