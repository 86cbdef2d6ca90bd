"""The open websockets of this process; those whose token has ended are closed."""

import asyncio
import logging
from collections import Counter
from collections.abc import Hashable
from typing import Protocol

from config.outages import AWAY
from services import host_clock, tokens
from services.availability import availability
from services.principals import Principal
from services.telemetry import CONNECTIONS_REFUSED

CHECK_SECONDS = 1.0
CLOSE_SECONDS = 1.0  # for writing the close frame
CROWDED = 4411  # close code: the token has as many open websockets as its limit
ENDED = 4403  # close code: the token was revoked, or has expired

log = logging.getLogger(__name__)


class WebsocketSession(Protocol):
    """One websocket of a client."""

    async def end(self, code: int, reason: str) -> None:
        """Close the websocket with the code, even if its client does not read."""
        ...


class WebsocketSessions:
    """The open websockets with their bearers. Used from one event loop."""

    def __init__(self, bearer_max: int) -> None:
        """`bearer_max`: the limit of open websockets of one token, or of one JWT's subject."""
        self._open: dict[WebsocketSession, Principal] = {}
        self._of: Counter[Hashable] = Counter()
        self._bearer_max = bearer_max

    def opened(self, bearer: Principal, session: WebsocketSession) -> bool:
        """Register a session and return True; False, without registering it, if its bearer is at the limit."""
        if self._of[bearer.key] >= self._bearer_max:
            CONNECTIONS_REFUSED.labels("bearer").inc()
            return False
        self._open[session] = bearer
        self._of[bearer.key] += 1
        return True

    def closed(self, session: WebsocketSession) -> None:
        """Remove the session, if it is registered."""
        if bearer := self._open.pop(session, None):
            self._of -= Counter([bearer.key])

    async def run(self) -> None:
        """Close sessions of ended tokens until cancelled; one query a second serves all sessions."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            if self._open:
                try:
                    await self._close_ended()
                except AWAY as error:  # no token counts as ended during an outage
                    availability().suspect(error)

    async def _close_ended(self) -> None:
        ended = await tokens.ended({bearer.token_id for bearer in self._open.values()})
        now = host_clock.database_time()
        closing = [
            session
            for session, bearer in self._open.items()
            if bearer.token_id in ended or (bearer.expires_at and bearer.expires_at <= now)
        ]
        for session in closing:
            self.closed(session)
        await asyncio.gather(*(_end(session, ENDED, "The token has ended.") for session in closing))


async def _end(session: WebsocketSession, code: int, reason: str) -> None:
    """End a session within CLOSE_SECONDS. A failure of one session does not affect the others."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await session.end(code, reason)
    except Exception as error:  # noqa: BLE001 - whatever it is
        log.warning("a websocket could not be closed with its code: %s", error or type(error).__name__)
