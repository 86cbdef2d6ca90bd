"""Waking this process's own stamper after a commit, from wherever the commit was."""

import asyncio

_stamp: asyncio.Event | None = None


def stamper_event() -> asyncio.Event:
    """The event the process's stamper waits on."""
    global _stamp
    _stamp = asyncio.Event()
    return _stamp


def stamp_soon() -> None:
    """Events wait in the outbox; without a stamper in this process another one's poll finds them."""
    if _stamp is not None:
        _stamp.set()
