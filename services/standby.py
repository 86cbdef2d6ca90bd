"""Reads from a standby, if it is near enough; else, and whenever in doubt, from the primary.

Before each read the primary is asked, once for all callers that ask at the same time, how far its log is written and
whether the bearer has written lately in any process. A standby that has replayed that far shows everything committed
before the read. If it has not within a moment, a bearer that has written goes to the primary; any other reads from the
standby, which is at most `read_lag_seconds_max` behind.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import asyncpg

from config.errors import Problem
from config.outages import AWAY, outage
from config.settings import settings
from config.standby import standby_pool, standby_session
from models import standby as statements
from models.sql import Connection
from services.availability import availability
from services.callers import Caller, current
from services.coalescing import Coalesced
from services.connections import OnStandby, control
from services.per_database import PerDatabase
from services.telemetry import READS, STANDBY_LAG_SECONDS
from services.unit_of_work.reads import read_connection, read_snapshot

Value = TypeVar("Value")

LOOK_SECONDS = 0.5  # between checks of the standby
ANSWER_SECONDS_MAX = 3.0  # of a check; a slower standby is away
SAMPLES_MAX = 1_000  # of checks remembered; a longer lag is not measured
PATIENCE_SECONDS = 0.03  # that a read waits for the standby
FIRST_LOOK_SECONDS = 0.001  # first such wait; each further one is twice as long
ANNOUNCE_SECONDS = 1.0  # between announcements of one bearer's writes, per process
WRITES_SECONDS = 120.0  # after an announcement, in which the bearer counts as writing: longer than any mutation takes
ANNOUNCED_MAX = 10_000  # bearers remembered

UNABLE = (asyncpg.PostgresError, *AWAY)
"""Errors of a standby that is away: the primary answers instead."""

log = logging.getLogger(__name__)


class Standby:
    """This process's view of its standby. Used from one event loop."""

    def __init__(self) -> None:
        self.reason: str | None = "it has not been looked at yet"  # why it is not used; None while it is
        self._was_told = False  # the log, of a standby that is not asked
        self._samples: deque[tuple[float, int]] = deque(maxlen=SAMPLES_MAX)  # time and position of the primary
        self._announced: dict[str, float] = {}
        self._session: asyncpg.Connection | None = None
        self._standing: Coalesced[str, tuple[int, bool]] = Coalesced(_standing)
        self._replay: Coalesced[None, asyncpg.Record] = Coalesced(self._looked)
        self._announcing: Coalesced[str, bool] = Coalesced(_announce)

    async def announce(self, caller: Caller) -> None:
        """Announce to every process that the bearer writes, before it does."""
        key, now = repr(caller.bearer), time.monotonic()
        if now - self._announced.get(key, -ANNOUNCE_SECONDS) < ANNOUNCE_SECONDS:
            return
        await self._announcing.get(key)
        if len(self._announced) >= ANNOUNCED_MAX:
            self._announced.clear()
        self._announced[key] = now

    async def refusal(self, caller: Caller) -> str | None:
        """Return why this caller reads from the primary, or None for the standby. Raises what the query raises."""
        if self.reason is not None:
            return "behind"
        standing = await self._standing.get(repr(caller.bearer))
        assert standing is not None, "it was asked for"
        position, has_written = standing
        try:
            has_replayed = await self._comes_to(position)
        except UNABLE as error:
            self._not_asked(str(error) or "it does not answer")
            return "behind"
        return "written" if has_written and not has_replayed else None

    async def _comes_to(self, position: int) -> bool:
        """Wait a moment until the standby has replayed the primary's position."""
        wait, ends_at = FIRST_LOOK_SECONDS, time.monotonic() + PATIENCE_SECONDS
        while True:
            if await self._position() >= position:
                return True
            if time.monotonic() + wait > ends_at:
                return False
            await asyncio.sleep(wait)
            wait *= 2

    async def _position(self) -> int:
        """Return how far the standby has replayed. Raises one of AWAY."""
        replay = await self._replay.get(None)
        assert replay is not None, "it was asked for"
        position: int = replay["position"]
        return position

    async def _looked(self, keys: Collection[None]) -> dict[None, asyncpg.Record]:
        """Ask the standby how far it is. Raises one of AWAY, also for an older timeline."""
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            if self._session is None or self._session.is_closed():
                try:
                    self._session = await standby_session()
                except Problem as problem:  # what an operator has to mend there keeps nobody from the primary
                    raise ConnectionError(str(problem)) from None
            try:
                replay = await statements.replay_position(self._session)
            except BaseException:
                self._session.terminate()
                self._session = None
                raise
        newest = availability().standing
        if newest is not None and replay["system"] != newest.system:
            raise ConnectionError("it is no standby of the primary: another cluster answers there")
        if newest is not None and replay["timeline"] != newest.timeline:
            raise ConnectionError(f"it is of timeline {replay['timeline']}, and the primary of {newest.timeline}")
        return dict.fromkeys(keys, replay)

    async def watch(self) -> None:
        """Check the standby until cancelled."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            if self._session is not None:
                self._session.terminate()

    async def _look(self) -> None:
        try:
            standing = await self._standing.get("")
        except AWAY as error:  # of the primary: there is nothing to compare with
            availability().suspect(error)
            await availability().settled()
            return
        assert standing is not None, "it was asked for"
        self._samples.append((time.monotonic(), standing[0]))
        try:
            lag = 0.0 if await self._comes_to(standing[0]) else self._lag(await self._position())
        except UNABLE as error:
            self._not_asked(str(error) or "it does not answer")
            return
        STANDBY_LAG_SECONDS.set(lag)
        if lag > settings().read_lag_seconds_max:
            self._not_asked(f"it is {lag:.1f} s behind")
        else:
            self._asked()

    def _lag(self, position: int) -> float:
        """Return how many seconds ago the primary was where the standby is now, by this process's clock."""
        now, since = time.monotonic(), None
        while self._samples and self._samples[0][1] <= position:
            since = self._samples.popleft()[0]
        if since is None:  # the primary was farther at every remembered check
            return now - self._samples[0][0] + LOOK_SECONDS
        self._samples.appendleft((since, position))
        return now - since

    def _not_asked(self, reason: str) -> None:
        if not self._was_told:
            log.warning("the standby is not asked for now: %s; the primary answers in its place", reason)
        self.reason, self._was_told = reason, True

    def _asked(self) -> None:
        if self._was_told:
            log.warning("the standby is asked again")
        self.reason, self._was_told = None, False


async def _standing(bearers: Collection[str]) -> dict[str, tuple[int, bool]]:
    async with control() as conn:
        position, writers = await statements.primary_position(conn, bearers, WRITES_SECONDS)
    return {bearer: (position, bearer in writers) for bearer in bearers}


async def _announce(bearers: Collection[str]) -> dict[str, bool]:
    async with control() as conn:
        await statements.record_writers(conn, bearers)
    return dict.fromkeys(bearers, True)


standby = PerDatabase(Standby)
"""The standby of the open database."""


async def announce_write() -> None:
    """Announce that the caller is about to write: its later reads, in any process, include the change."""
    caller = current()
    if caller is not None and standby_pool() is not None:
        await standby().announce(caller)


async def moment_old(read: Callable[[Connection], Awaitable[Value]], *, whole: bool) -> Value:
    """Read from the standby if the caller's document is a query and the standby is near enough; else from the primary.

    `whole`: all statements of the read see one snapshot. Raises what the read raises, and Away.
    """
    caller = current()
    if caller is not None and caller.reads and standby_pool() is not None:
        reason = await standby().refusal(caller)
        if reason is None:
            try:
                async with _view(OnStandby, whole=whole) as conn:
                    answer = await read(conn)
            except (asyncpg.TransactionRollbackError, *AWAY) as error:
                if not isinstance(error, asyncpg.TransactionRollbackError) and outage(error) is None:
                    raise
                reason = "conflict"
            else:
                READS.labels("standby", "").inc()
                return answer
        READS.labels("primary", reason).inc()
    async with _view(read_connection, whole=whole) as conn:
        return await read(conn)


def _view(lease: type[read_connection] | type[OnStandby], *, whole: bool) -> AbstractAsyncContextManager[Connection]:
    """Return a connection, in a snapshot if several statements are to see the same."""
    return read_snapshot(lease) if whole else lease()
