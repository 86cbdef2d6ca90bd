"""The open websockets of this process, so that those whose token has ended can be closed."""

import asyncio
import logging
from collections import defaultdict
from typing import Protocol

import asyncpg

from services import tokens

CHECK_SECONDS = 1.0
ENDED = 4403  # close code: the token was revoked, or has expired
UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

log = logging.getLogger(__name__)


class Socket(Protocol):
    """One connection."""

    async def close(self, code: int, reason: str) -> None: ...


class Sessions:
    """Who is connected, by token. Used from one event loop."""

    def __init__(self) -> None:
        self._open: defaultdict[int, set[Socket]] = defaultdict(set)

    def opened(self, token_id: int, socket: Socket) -> None:
        self._open[token_id].add(socket)

    def closed(self, token_id: int, socket: Socket) -> None:
        """Forget the session, if it is known."""
        known = self._open.get(token_id, set())
        known.discard(socket)
        if not known:
            self._open.pop(token_id, None)

    async def run(self) -> None:
        """Look for ended tokens until cancelled; one question a second, whatever the number of sessions."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            if self._open:
                try:
                    await self._close_ended()
                except UNREACHABLE as error:
                    log.warning("tokens cannot be looked at for now: %s", error)

    async def _close_ended(self) -> None:
        for token_id in await tokens.ended(list(self._open)):
            for socket in list(self._open.get(token_id, ())):
                await socket.close(ENDED, "The token has ended.")
