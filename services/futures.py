"""Futures that may fail once nobody waits for them."""

import asyncio
from typing import Any


def mark_retrieved(future: "asyncio.Future[Any]") -> None:
    """Read a finished future's exception, so that the event loop does not log it as never retrieved.

    A done callback for a shared reading: everybody who waits for it may be cancelled before it fails.
    """
    if not future.cancelled():
        future.exception()
