"""Connections: from the pool by the caller's share, or from a small pool kept for readiness, heartbeats and tokens.

While the database is away every request for one is refused at once (Away).
"""

from contextlib import suppress
from typing import ClassVar

import asyncpg

from config import asyncpg_internals, database
from config.errors import Problem
from config.outages import Away, outage
from config.standby import standby_pool
from models.sql import Connection
from services.admission import Share, admission
from services.availability import availability
from services.callers import Stoppable, current
from services.telemetry import POOL_WAIT_SECONDS, timed

LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresConnectionError,
)
"""Errors of a lost connection; the statement may or may not be committed."""

SHORT = (asyncpg.InsufficientResourcesError, asyncpg.PostgresSystemError, asyncpg.ReadOnlySQLTransactionError)
"""Errors of a server that cannot write now: its disk is full or fails. No statement is to blame."""

RELEASE_SECONDS = 10  # for the server to confirm a reset; without a limit a broken connection never returns


class Lease:
    """A connection of the pool. A release that is cancelled closes the connection.

    A task that has one must not wait for a second one: such tasks could use up the caller's share.
    """

    __slots__ = ("_conn", "_part", "_places", "_share")
    commits: ClassVar[bool] = False  # the work may be committed, so the caller cannot stop it

    async def __aenter__(self) -> Connection:
        """Raise Away while the database is away."""
        availability().check()
        with timed(POOL_WAIT_SECONDS):
            caller = current()
            if caller is None:
                self._part: Stoppable | None = None
                self._share: Share | None = None
                if self.commits:
                    admission().note_work_for_many()
                self._conn = await self._acquired(self._pool(None))
                return self._conn
            self._part, self._share, self._places = Stoppable(caller), None, admission()
            try:
                self._share = self._places.take(caller, writes=self.commits) or await self._places.wait(
                    caller, patient=caller.pledged
                )
                self._conn = await self._acquired(self._pool(self._share))
            except BaseException as raised:
                if self._share is not None:
                    self._places.give(self._share, unused=True)
                self._part.end(raised)
                raise
            if self.commits:
                caller.pledge()
                self._part.end(None)
                self._part = None
        return self._conn

    def _pool(self, share: Share | None) -> asyncpg.Pool:
        """Return the pool for the place: low-priority reads use connections that the server itself slows down."""
        low = database.low_pool() if share is not None and share.runs_low and not self.commits else None
        return low if low is not None and low.get_size() - low.get_idle_size() < low.get_max_size() else database.pool()

    async def _acquired(self, pool: asyncpg.Pool) -> Connection:
        return await _acquired(pool)

    def _report(self, raised: BaseException | None) -> None:
        _report(raised)

    async def __aexit__(self, _type: object, raised: BaseException | None, _trace: object) -> None:
        self._report(raised)
        if self._part is not None:
            self._part.leave()
        try:
            await _release(self._conn)
        finally:
            if self._share is not None:
                self._places.give(self._share, unused=raised is not None)
            if self._part is not None:
                self._part.end(raised)


class OnStandby(Lease):
    """A connection of the standby, by the caller's share of the primary's pool. Its faults are the standby's alone."""

    __slots__ = ()

    def _pool(self, _share: Share | None) -> asyncpg.Pool:
        pool = standby_pool()
        assert pool is not None, "the operator has named a standby"
        return pool

    async def _acquired(self, pool: asyncpg.Pool) -> Connection:
        return await pool.acquire()

    def _report(self, raised: BaseException | None) -> None:
        """Report nothing: the reader goes to the primary."""


class Committing(Lease):
    """The connection of a writing transaction. The caller may stop the work only until it is there."""

    __slots__ = ()
    commits = True


class control:  # noqa: N801 - used like a function
    """A connection outside the pool, for readiness, heartbeats and tokens, and for short statements.

    Each user has one at a time, however many requests there are.
    """

    __slots__ = ("_conn",)

    async def __aenter__(self) -> Connection:
        availability().check()
        self._conn = await _acquired(database.control_pool())
        return self._conn

    async def __aexit__(self, _type: object, raised: BaseException | None, _trace: object) -> None:
        _report(raised)
        await _release(self._conn)


async def _acquired(pool: asyncpg.Pool) -> Connection:
    """Acquire a connection. Raises Away if none can be opened, for any reason."""
    try:
        return await pool.acquire()
    except (Problem, asyncpg.PostgresError) as error:
        availability().suspect(error)
        raise Away(str(error)) from error
    except Exception as error:
        _report(error)
        raise


def _report(raised: BaseException | None) -> None:
    """Have the database checked if the error may mean that it is away."""
    if raised is not None and (error := outage(raised)) is not None:
        availability().suspect(error)


async def _release(conn: Connection) -> None:
    with suppress(*LOST):  # the pool has closed the connection; its work is done
        await asyncpg_internals.release(conn, RELEASE_SECONDS)
