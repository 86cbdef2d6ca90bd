"""The open websockets of this process, so that those whose bearer has ended can be closed."""

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
CLOSE_SECONDS = 1.0  # for the close frame to be written; a socket of ours takes it at once
CROWDED = 4411  # close code: the token has as many websockets open as it may have
ENDED = 4403  # close code: the token was revoked, or has expired

log = logging.getLogger(__name__)


class WebsocketSession(Protocol):
    """One connection."""

    async def end(self, code: int, reason: str) -> None:
        """Close the connection with the code, whether its client reads or not."""
        ...


class WebsocketSessions:
    """Who is connected. Used from one event loop."""

    def __init__(self, bearer_max: int) -> None:
        """`bearer_max`: the most websockets that one token, or one JWT's subject, may have open."""
        self._open: dict[WebsocketSession, Principal] = {}
        self._of: Counter[Hashable] = Counter()
        self._bearer_max = bearer_max

    def opened(self, bearer: Principal, session: WebsocketSession) -> bool:
        """Take note of a session; False, and nothing is noted, where its bearer has as many as it may have."""
        if self._of[bearer.key] >= self._bearer_max:
            CONNECTIONS_REFUSED.labels("bearer").inc()
            return False
        self._open[session] = bearer
        self._of[bearer.key] += 1
        return True

    def closed(self, session: WebsocketSession) -> None:
        """Forget the session, if it is known."""
        if bearer := self._open.pop(session, None):
            self._of -= Counter([bearer.key])

    async def run(self) -> None:
        """Look for bearers that have ended until cancelled; one question a second, whatever the number of sessions."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            if self._open:
                try:
                    await self._close_ended()
                except AWAY as error:  # nobody is taken for one whose token has ended
                    availability().suspect(error)

    async def _close_ended(self) -> None:
        ended = await tokens.ended({bearer.token_id for bearer in self._open.values()})
        now = host_clock.now()
        closing = [
            session
            for session, bearer in self._open.items()
            if bearer.token_id in ended or (bearer.expires_at and bearer.expires_at <= now)
        ]
        for session in closing:
            self.closed(session)
        await asyncio.gather(*(_end(session, ENDED, "The token has ended.") for session in closing))


async def _end(session: WebsocketSession, code: int, reason: str) -> None:
    """End a session within CLOSE_SECONDS. A fault of one session does not keep the others from being ended."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await session.end(code, reason)
    except Exception as error:  # noqa: BLE001 - whatever it is
        log.warning("a websocket was not closed in order: %s", error or type(error).__name__)
