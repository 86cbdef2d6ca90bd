"""Availability of the database: one task checks it, and everybody else reads the result (a circuit breaker).

While the database is away only that task connects: every other request for a connection is refused at once, so that no
request hangs and a returning server is not met by a thousand attempts. Subscriptions and endless tasks wait here. One
log line says that the database is away, one that it is back.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from config import database
from config.errors import Problem
from config.fence import Lookout, Standing
from config.outages import AWAY, Away, outage
from services.per_database import PerDatabase
from services.telemetry import DATABASE_AWAY_SECONDS, OUTAGES

__all__ = ["AWAY", "Away", "availability", "outage"]

Value = TypeVar("Value")

LOOK_SECONDS = 1.0  # between checks of a database that is there
RETRY_SECONDS = 0.2  # between checks of one that is away
COMPLAINT_SECONDS = 60.0  # between log lines about work that fails although the database is there

log = logging.getLogger(__name__)


class Availability:
    """The availability of one database. Used from one event loop."""

    def __init__(self) -> None:
        self.reason: str | None = None  # why the database is away; None while it is not
        self.standing: Standing | None = None  # of the primary that was there last
        self._since = 0.0
        self._begun = self._ended = 0  # number of checks
        self._looked = asyncio.Event()  # set and replaced after each check
        self._suspected = asyncio.Event()
        self._suspicion: BaseException | None = None
        self._complained_at = -COMPLAINT_SECONDS
        self._watched = False

    def check(self) -> None:
        """Raise Away while the database is away."""
        if self.reason is not None:
            raise Away(self.reason)

    def suspect(self, error: BaseException) -> None:
        """Check at once: a connection was lost, or could not be opened."""
        if not isinstance(error, Away):
            self._suspicion = error
            self._suspected.set()

    async def settled(self) -> None:
        """Wait until a check that begins after now has found the database."""
        if not self._watched:
            await asyncio.sleep(RETRY_SECONDS)
            return
        begun = self._begun
        while self._ended <= begun or self.reason is not None:
            await self._looked.wait()

    async def outlast(self, read: Callable[[], Awaitable[Value]], seconds: float | None = None) -> Value:
        """Read, and repeat while the database is away, for so many seconds or without limit. Raises Away after that."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        return await read()
                    except AWAY as error:
                        if outage(error) is None:
                            raise
                        self.suspect(error)
                    await self.settled()
        except TimeoutError:
            raise Away(self.reason or "it was away for too long") from None

    async def watch(self) -> None:
        """Check the database until cancelled."""
        lookout = database.lookout()
        self._watched = True
        try:
            while True:
                await self._look(lookout)
                pause = LOOK_SECONDS if self.reason is None else RETRY_SECONDS
                try:
                    async with asyncio.timeout(pause):
                        await self._suspected.wait()
                except TimeoutError:
                    continue
                if self.reason is not None:
                    await asyncio.sleep(pause)
        finally:
            self._watched = False
            lookout.close()

    async def _look(self, lookout: Lookout) -> None:
        self._begun += 1
        suspicion, self._suspicion = self._suspicion, None
        self._suspected.clear()
        try:
            standing = await lookout.look()
        except (Problem, asyncpg.PostgresError, *AWAY) as error:  # any reason that keeps it from connecting
            self._gone(str(error) or type(error).__name__)
        else:
            self._there(standing, suspicion)
        self._ended = self._begun
        looked, self._looked = self._looked, asyncio.Event()
        looked.set()

    def _gone(self, reason: str) -> None:
        if self.reason is None:
            self._since = time.monotonic()
            OUTAGES.inc()
            log.warning("the database is away: %s; trying on, callers are answered UNAVAILABLE", reason)
            database.drop_connections()
        self.reason = reason

    def _there(self, standing: Standing, suspicion: BaseException | None) -> None:
        now, before = time.monotonic(), self.standing
        moved = f", as timeline {standing.timeline} after {before.timeline}" if before and standing != before else ""
        self.standing = standing
        if self.reason is not None:
            self.reason = None
            DATABASE_AWAY_SECONDS.inc(now - self._since)
            log.warning("the database is back after %.1f s%s", now - self._since, moved)
        elif moved:
            log.warning("the database is another server by now%s", moved)
        elif suspicion is not None and now - self._complained_at >= COMPLAINT_SECONDS:
            self._complained_at = now
            log.warning("the database is there, but work with it failed: %s", suspicion or type(suspicion).__name__)


availability = PerDatabase(Availability)
"""Availability of the open database."""
