"""Ownership of shards: this process's share of them, each held by a session lock and a fence.

Every worker reads the same locks and computes the same shares; there is no coordinator.
"""

import asyncio
import logging
import re
from collections.abc import Iterable
from functools import partial

from config.address import parse
from config.database import AWAY, connection
from config.errors import Problem
from config.lease import SILENCE, LeasedSession
from domain.sharding import quotas
from models import ownership as rows
from models.ownership import BATCHES, CHANNEL, SHARES, ShardLayout, ShardState
from models.sql import Connection
from services.columnar.passes import Marker
from services.fencing import Fence
from services.unit_of_work.openings import transaction
from services.unit_of_work.reads import read_connection, write_connection

__all__ = ["Ownership", "ShardState", "divide_desk", "set_shard_count", "shard_states"]

KINDS = ("worker", "marker")  # kinds of processes that own shards
BLOCKED_SECONDS_MAX = 0.5  # that a former owner's transaction may keep the next one waiting

log = logging.getLogger(__name__)


class Ownership:
    """This process's shards and their markers. Used from one event loop, `keep` by one task at a time."""

    def __init__(self, url: str, process: str, lease_seconds: float) -> None:
        """`url` leads straight to the server, past any pooler. `process` is the name of its heartbeat."""
        self.markers: dict[int, Marker] = {}
        self.batches = asyncio.Event()  # another process has notified that batches wait
        self.shares = asyncio.Event()  # the ownership of shards may have changed
        self._url = url
        self._process = process
        self._lease = lease_seconds
        self._session = LeasedSession(
            url, name=f"shards-{process}", lease_seconds=lease_seconds, channel=CHANNEL, hear=self._hear
        )
        self._shards = 0  # number of shards
        self._number: int | None = None  # this worker's number among those present
        self._changing = asyncio.Lock()
        self._present = frozenset[int]()  # sessions of all workers at the last look
        self._is_ending = False

    @property
    def has_all(self) -> bool:
        """Return whether no other worker owns a shard."""
        return bool(self.markers) and len(self.markers) == self._shards

    def _hear(self, said: str) -> None:
        if not self._session.is_open:
            self._lose()
        word, _, process = said.partition(" ")
        if word != BATCHES:
            self.shares.set()
        elif process != self._process:
            self.batches.set()

    async def announce_batches(self) -> None:
        """Notify the other workers that batches wait; each looks at its own shards."""
        async with write_connection() as conn:
            await rows.notify_workers(conn, f"{BATCHES} {self._process}")

    def _lose(self) -> None:
        """Stop every marker: the session is gone, and all its locks with it."""
        if self.markers:
            log.warning("lost shard %s: the session that held the locks has ended", _listed(self.markers))
        self._forget()

    def _forget(self) -> None:
        for marker in self.markers.values():
            marker.ending = True
        self.markers = {}
        self._number = None

    async def keep(self) -> list[int]:
        """Take or give up shards to own exactly this worker's share; return the shards just taken.

        Raises what a connection raises.
        """
        async with self._changing:
            if self._is_ending:
                return []
            if not self._session.is_open:
                self._lose()
                await self._session.open()
                await self._require_one_desk()
            if self._number is None:
                self._number = await self._session.run(rows.register_worker)
                await self._session.run(partial(rows.notify_workers, word=SHARES))
            return await self._balance(await self._session.run(rows.read_layout))

    async def _balance(self, layout: ShardLayout) -> list[int]:
        assert self._number is not None, "it is present"
        if layout.shards != self._shards:
            if self._shards:
                log.info("the desk has %d shards now, not %d", layout.shards, self._shards)
            await self._give_up(list(self.markers), unwritten=True)
            self._shards = layout.shards
            layout = await self._session.run(rows.read_layout)
        gone, self._present = self._present - layout.sessions, layout.sessions
        if gone:
            await self._end_left()
        share = quotas(layout.workers, layout.shards).get(self._number, 0)
        await self._give_up(sorted(self.markers)[share:])
        for shard in layout.own - self.markers.keys():  # another has raised its fence, or it is a shard no more
            await self._session.run(partial(rows.unlock_shard, shard=shard))
        taken = [shard for shard in layout.free if len(self.markers) < share and await self._take(shard)]
        if taken:
            log.info("took shard %s; owns %s", _listed(taken), _listed(self.markers))
        return taken

    async def take_free(self) -> list[int]:
        """Take every shard that nobody owns, without counting as a worker; return them all."""
        async with self._changing:
            if not self._session.is_open:
                await self._session.open()
                await self._require_one_desk()
            layout = await self._session.run(rows.read_layout)
            self._shards = layout.shards
            return [shard for shard in layout.free if await self._take(shard)]

    async def _take(self, shard: int) -> bool:
        if not await self._session.run(partial(rows.lock_shard, shard=shard)):
            return False
        raised = await self._session.run(partial(self._raise_fence, shard=shard))
        if raised is None:
            await self._session.run(partial(rows.unlock_shard, shard=shard))
            return False
        fence, before = raised
        if before is not None and before != self._process:
            await self._end_left()
        self.markers[shard] = Marker(shard, Fence(shard, self._process, fence))
        return True

    async def _raise_fence(self, conn: Connection, shard: int) -> tuple[int, str | None] | None:
        """Raise the fence; end the session of a former owner that was stopped within a transaction and blocks it."""
        raising = asyncio.ensure_future(rows.raise_fence(conn, shard, self._process, self._shards))
        try:
            done, _ = await asyncio.wait([raising], timeout=BLOCKED_SECONDS_MAX)
            if not done:
                async with connection(self._url) as other:
                    ended = await rows.end_blockers(other, conn.get_server_pid())
                log.warning("ended %d sessions of the former owner of shard %d", ended, shard)
            return await raising
        finally:
            raising.cancel()

    async def _end_left(self) -> None:
        """End the sessions of workers that are gone: a stopped worker may hold locks that others wait for.

        A worker is gone when its session is; its transactions are older than the silence that ended it.
        """
        name = parse(self._url).application_name
        others = f"^{re.escape(name(''))}((?:{'|'.join(KINDS)})-.*)$"
        async with connection(self._url) as conn:
            ended = await rows.end_orphaned_sessions(conn, others, name("shards-"), self._lease * SILENCE / 2)
        if ended:
            log.warning("ended %d sessions of workers that are not there any more", ended)

    async def _give_up(self, shards: list[int], *, unwritten: bool = False) -> None:
        """Hand the shards over, each between two batches. `unwritten`: the desk's shards have changed."""
        if not shards:
            return
        markers = {shard: self.markers[shard] for shard in shards}
        for marker in markers.values():
            marker.ending = True
        await asyncio.gather(*(self._hand_over(marker, unwritten=unwritten) for marker in markers.values()))
        for shard in shards:
            if self.markers.get(shard) is markers[shard]:
                del self.markers[shard]
                await self._session.run(partial(rows.unlock_shard, shard=shard))
        await self._session.run(partial(rows.notify_workers, word=SHARES))
        log.info("gave up shard %s; owns %s", _listed(shards), _listed(self.markers))

    async def _hand_over(self, marker: Marker, *, unwritten: bool) -> None:
        fence = marker.fence
        assert fence is not None, "an owner has one"
        try:
            if unwritten:
                return
            await marker.hand_over()
            leave = partial(rows.release_shard, shard=fence.shard, owner=fence.owner, fence=fence.number)
            await self._session.run(leave)
        except Exception as error:  # noqa: BLE001 - the next owner computes again what was not written
            log.warning("shard %d is handed over as it is stored: %s", fence.shard, error)

    def drop(self, marker: Marker) -> None:
        """Drop a marker that found another owner's fence."""
        if self.markers.get(marker.shard) is marker:
            del self.markers[marker.shard]
        self.shares.set()

    async def end(self) -> None:
        """Hand everything over and leave."""
        async with self._changing:
            self._is_ending = True
            try:
                if self._session.is_open:
                    await self._give_up(list(self.markers))
            except AWAY as error:
                log.warning("the shards are left as they are stored: %s", error)
            finally:
                await self._session.close()
                self._forget()

    async def _require_one_desk(self) -> None:
        """Raise Problem if the session and the pool are connected to different databases."""
        async with read_connection() as conn:
            ours = await rows.desk_created_at(conn)
        if await self._session.run(rows.desk_created_at) != ours:
            await self._session.close()
            raise Problem(
                "DATABASE_DIRECT_URL and DATABASE_URL lead to two different desks; let both name the same database"
            )


async def shard_states() -> list[ShardState]:
    """Return every shard with its owner and progress, in order."""
    async with read_connection() as conn:
        return await rows.shard_states(conn)


async def set_shard_count(shards: int) -> tuple[int, int]:
    """Divide the accounts into so many shards; return the old and the new number.

    Workers follow at once: each gives up its shards and takes its share of the new ones. Raises Locked if a worker
    writes for long.
    """
    async with transaction() as work:
        counts = await rows.set_shard_count(work.conn, shards)
        await rows.notify_workers(work.conn, SHARES)
    return counts


async def divide_desk(wanted: int | None) -> None:
    """Divide a desk without workers so far into so many shards; any other desk keeps its number."""
    if wanted is None:
        return
    async with transaction() as work:
        _, shards = await rows.set_shard_count(work.conn, wanted, initial=True)
    if shards != wanted:
        log.warning(
            "the desk has %d shards and keeps them, PROPDESK_MARKER_SHARDS=%d only counts on a new one; to change "
            "them: propdesk shards %d", shards, wanted, wanted
        )  # fmt: skip


def _listed(shards: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(shards))) or "none"
