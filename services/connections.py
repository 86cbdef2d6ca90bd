"""How work gets a connection: of the pool by its caller's share, or one of those kept for the desk's own life signs.

While the database is away there is none, and who asks is refused at once (Away).
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
"""How a connection shows that it has gone; what was under way may or may not be committed."""

SHORT = (asyncpg.InsufficientResourcesError, asyncpg.PostgresSystemError, asyncpg.ReadOnlySQLTransactionError)
"""How a server that is there shows that it cannot write now: its disk is full, or fails. No statement is to blame."""

RELEASE_SECONDS = 10  # for the server to answer that a connection is reset; without a limit a broken one never returns


class Lease:
    """A connection of the pool. A release that is cut off while it waits closes the connection.

    A task that has one waits for no second one: its caller's share could be used up by such tasks.
    """

    __slots__ = ("_conn", "_part", "_places", "_share")
    commits: ClassVar[bool] = False  # what is done with the connection may be committed, so the caller cannot stop it

    async def __aenter__(self) -> Connection:
        """Raises Away while the database is."""
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
        """Return the pool for the place: reads that let others go first do so in the server, where it can be told."""
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
    """A connection of the standby, by the caller's share of the primary's. What goes wrong with it is the standby's."""

    __slots__ = ()

    def _pool(self, _share: Share | None) -> asyncpg.Pool:
        pool = standby_pool()
        assert pool is not None, "the operator has named a standby"
        return pool

    async def _acquired(self, pool: asyncpg.Pool) -> Connection:
        return await pool.acquire()

    def _report(self, raised: BaseException | None) -> None:
        """Whoever asked the standby goes to the primary."""


class Committing(Lease):
    """The connection of a transaction that writes. Until it is there the caller may stop the work, and no longer."""

    __slots__ = ()
    commits = True


class control:  # noqa: N801 - used like a function
    """A connection beyond the pool, however busy that is: for readiness, heartbeats and tokens, and short statements.

    Whoever uses it has one at a time, whatever the number of requests.
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
    """Raises Away where no connection can be opened, for whatever reason."""
    try:
        return await pool.acquire()
    except (Problem, asyncpg.PostgresError) as error:
        availability().suspect(error)
        raise Away(str(error)) from error
    except Exception as error:
        _report(error)
        raise


def _report(raised: BaseException | None) -> None:
    """Have the database looked at where the error may mean that it is away."""
    if raised is not None and (error := outage(raised)) is not None:
        availability().suspect(error)


async def _release(conn: Connection) -> None:
    with suppress(*LOST):  # the pool has thrown the connection away, and what was done with it is done
        await asyncpg_internals.release(conn, RELEASE_SECONDS)
