"""Endless tasks of the API process: one that fails is logged and begun again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

RESTART_SECONDS = 0.5

log = logging.getLogger(__name__)


async def endless(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run the work until cancelled; when it fails or returns, run it again after RESTART_SECONDS."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("%s failed and is begun again", name)
        await asyncio.sleep(RESTART_SECONDS)
