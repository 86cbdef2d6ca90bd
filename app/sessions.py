"""The open websockets of this process, so that those whose bearer has ended can be closed."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Protocol

import asyncpg

from services import tokens
from services.principals import Principal

CHECK_SECONDS = 1.0
ENDED = 4403  # close code: the token was revoked, or has expired
UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

log = logging.getLogger(__name__)


class Socket(Protocol):
    """One connection."""

    async def close(self, code: int, reason: str) -> None: ...


class Sessions:
    """Who is connected. Used from one event loop."""

    def __init__(self) -> None:
        self._open: dict[Socket, Principal] = {}

    def opened(self, bearer: Principal, socket: Socket) -> None:
        self._open[socket] = bearer

    def closed(self, socket: Socket) -> None:
        """Forget the session, if it is known."""
        self._open.pop(socket, None)

    async def run(self) -> None:
        """Look for bearers that have ended until cancelled; one question a second, whatever the number of sessions."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            if self._open:
                try:
                    await self._close_ended()
                except UNREACHABLE as error:
                    log.warning("tokens cannot be looked at for now: %s", error)

    async def _close_ended(self) -> None:
        ended = await tokens.ended({bearer.token_id for bearer in self._open.values()})
        now = datetime.now(UTC)
        for socket, bearer in list(self._open.items()):
            if bearer.token_id in ended or (bearer.expires_at and bearer.expires_at <= now):
                self.closed(socket)
                await socket.close(ENDED, "The token has ended.")
