"""How long the event loop is held at a stretch, measured for as long as the process serves.

A look that comes too late was kept from coming by whatever held the loop. Where the machine was busy with others the
processor time of the loop's own thread is less than the delay, and that counts.
"""

import asyncio
import time

from services.measures import LOOP_HELD_SECONDS

PAUSE_SECONDS = 0.01  # between looks, and by how much a stretch may be longer than measured


async def watch() -> None:
    """Look until cancelled."""
    while True:
        began, spent = time.perf_counter(), time.thread_time()
        await asyncio.sleep(PAUSE_SECONDS)
        late = time.perf_counter() - began - PAUSE_SECONDS
        LOOP_HELD_SECONDS.observe(max(0.0, min(late, time.thread_time() - spent)))
