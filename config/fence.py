"""The fence of database servers: no writes to a server in recovery, or of an older timeline than one seen before.

Each promotion of a standby begins a new timeline. Where the old primary lives on, its timeline says that it is no
longer the one: a process that has seen a newer one refuses it, whoever leads it there. A process that has just started
knows nothing yet, so it asks every server that its address names, and takes the newest.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import asyncpg

from config.asyncpg_internals import abort
from config.outages import AWAY, Away

ANSWER_SECONDS_MAX = 5.0  # of a sign of life; a server that takes longer is away
KEPT_SECONDS_MAX = 3.0  # of the same on a connection that was kept; then a new one is tried
REOPEN_SECONDS = 10.0  # the age at which a kept connection is replaced: its address may lead elsewhere by then
GRACE_SECONDS = 0.25  # for the other servers to answer, once one that may be written to has
LOOK = """select system_identifier as system, pg_is_in_recovery() as recovers,
  current_setting('transaction_read_only')::bool as reads_only,
  case when not pg_is_in_recovery()
    then ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int end as timeline
from pg_control_system()"""
ANONYMOUS = ("system_identifier as", "0::bigint as")

Open = Callable[[], Awaitable[asyncpg.Connection]]


class Fenced(ConnectionError):
    """The server may not be written to."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A server's identity. `system` is the same for a primary and all its standbys."""

    system: int
    timeline: int


class Fence:
    """What this process knows of timelines, and the connections it has admitted. Used from one event loop at a time."""

    def __init__(self) -> None:
        self.primary = ""  # the host that is the newest primary, as messages call it; it is tried first
        self._newest: dict[int, int] = {}  # timelines, by system
        self.before_moves: list[Callable[[], None]] = []
        """Called when another primary is met, before anything is asked of it: all that is known is of the one before"""
        self._admitted: WeakKeyDictionary[asyncpg.Connection, Standing] = WeakKeyDictionary()

    async def admit(self, conn: asyncpg.Connection) -> Standing:
        """Take a new connection, or one that was idle, for writing. Raises Fenced."""
        standing = _standing(await _look(conn))
        newest = self._newest.get(standing.system, standing.timeline)
        if standing.timeline < newest:
            raise Fenced(
                f"the server is of timeline {standing.timeline}, and one of timeline {newest} was promoted since: "
                "it is an old primary that must not be written to; stop it, or rebuild it as a standby"
            )
        if standing.timeline > newest or (self._newest and standing.system not in self._newest):
            for remember in self.before_moves:
                remember()
            self._end_older(standing)
        self._newest[standing.system] = standing.timeline
        self._admitted[conn] = standing
        return standing

    def _end_older(self, newest: Standing) -> None:
        """Cut off every connection to a server of an older timeline; what was under way there fails."""
        for conn, standing in list(self._admitted.items()):
            if standing.system == newest.system and standing.timeline < newest.timeline:
                _cut(conn)

    def end_all(self, kind: type[asyncpg.Connection]) -> None:
        """Cut off every connection of this class: nothing is to wait for a server that does not answer."""
        for conn in list(self._admitted):
            if type(conn) is kind:  # asyncpg takes every connection for an instance of each such class
                _cut(conn)


def _cut(conn: asyncpg.Connection) -> None:
    """End a connection as a cut cable would; `terminate` is not made for one that another task works with."""
    if not conn.is_closed():
        abort(conn)


async def _look(conn: asyncpg.Connection) -> asyncpg.Record:
    """Ask the server who it is; without its system's identifier where a provider keeps that to itself."""
    try:
        return await conn.fetchrow(LOOK)
    except asyncpg.InsufficientPrivilegeError:
        return await conn.fetchrow(LOOK.replace(*ANONYMOUS).rsplit("\n", 1)[0])


def _standing(row: asyncpg.Record) -> Standing:
    if row["recovers"]:
        raise Fenced("the server is a standby, in recovery")
    if row["reads_only"]:
        raise Fenced("the server takes no writes: default_transaction_read_only is on there")
    return Standing(row["system"], row["timeline"])


fence = Fence()
"""That of this process."""


class Lookout:
    """A connection to each server of an address, by which they are asked who they are. Used by one task."""

    def __init__(self, servers: Mapping[str, Open]) -> None:
        """`servers`: how to connect to each, by the name that messages call it."""
        self._servers = servers
        self._kept: dict[str, tuple[asyncpg.Connection, float]] = {}  # by server, with the time it was opened

    async def look(self) -> Standing:
        """Ask every server, and return how the newest primary stands; older ones are fenced from then on.

        Raises Fenced where none may be written to, and what else it is.
        """
        asking = [asyncio.create_task(self._ask(name), name=name) for name in self._servers]
        try:
            waiting = set(asking)
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if any(task.exception() is None for task in done) and waiting:
                    _, waiting = await asyncio.wait(waiting, timeout=GRACE_SECONDS)
                    break
        finally:
            for task in asking:
                task.cancel()
        ended = [task for task in asking if task.done() and not task.cancelled()]
        faults = {task.get_name(): fault for task in ended if (fault := task.exception()) is not None}
        if len(faults) == len(ended):
            raise _together(faults)
        newest = max((task for task in ended if task.exception() is None), key=lambda task: task.result().timeline)
        fence.primary = newest.get_name()
        return newest.result()

    async def _ask(self, name: str) -> Standing:
        """Ask a server by the connection that was kept, or by a new one where that has failed, or is old.

        Where no new one can be had (the server has none left), the old one does.
        """
        conn, since = self._kept.get(name, (None, 0.0))
        if conn is not None and time.monotonic() - since < REOPEN_SECONDS:
            try:
                return await self._answer(conn, KEPT_SECONDS_MAX)
            except Fenced:
                raise
            except AWAY:
                self._forget(name)
                conn = None
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                new = await self._servers[name]()
        except AWAY:
            if conn is None:
                raise
            return await self._answer(conn)
        self._forget(name)
        self._kept[name] = new, time.monotonic()
        return await self._answer(new)

    def _forget(self, name: str) -> None:
        conn, _ = self._kept.pop(name, (None, 0.0))
        if conn is not None:
            conn.terminate()

    async def _answer(self, conn: asyncpg.Connection, seconds: float | None = None) -> Standing:
        async with asyncio.timeout(ANSWER_SECONDS_MAX if seconds is None else seconds):
            return await fence.admit(conn)

    def close(self) -> None:
        for name in list(self._kept):
            self._forget(name)


def _together(faults: Mapping[str, BaseException]) -> BaseException:
    """Return one error for all servers: one that an operator has to mend, the only one, or each server's message."""
    for fault in faults.values():
        if not isinstance(fault, AWAY) or (len(faults) == 1 and str(fault)):
            return fault
    return Away("; ".join(f"{name}: {str(fault) or 'it does not answer'}" for name, fault in faults.items()))
