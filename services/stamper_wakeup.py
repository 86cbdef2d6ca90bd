"""Wake-up of this process's stamper after a commit."""

import asyncio

_stamp: asyncio.Event | None = None


def stamper_event() -> asyncio.Event:
    """Return the event that the process's stamper waits on."""
    global _stamp
    _stamp = asyncio.Event()
    return _stamp


def stamp_soon() -> None:
    """Wake the stamper; without one in this process, another process's poll finds the events."""
    if _stamp is not None:
        _stamp.set()
