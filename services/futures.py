"""Futures that may fail after everybody has stopped waiting for them."""

import asyncio
from typing import Any


def mark_retrieved(future: "asyncio.Future[Any]") -> None:
    """Read a finished future's exception, so that the event loop does not log it as never retrieved.

    It is a done callback of shared reads: all waiting callers may be cancelled before the read fails.
    """
    if not future.cancelled():
        future.exception()
