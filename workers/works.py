"""The works of a worker, started by a message, a tick or another worker. Each work runs once at a time."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import nullcontext
from functools import partial

from services import marking
from services.availability import AWAY, availability, outage
from services.columnar.passes import Marker
from services.fencing import ShardLost
from services.jobs import work_queue
from services.ownership import Ownership

WORK_SECONDS = 60
"""Approximate time after which a message ends; remaining work gets a new message. A busy shard is not stuck."""
SHARDS_AT_ONCE = 4
"""Shards that one process evaluates in parallel: each uses connections of the pool."""

log = logging.getLogger(__name__)


class Hanging(Exception):
    """The work exceeded its time limit and was cancelled."""


class Coalesced:
    """Runs `work` for one caller at a time; a second caller returns at once and makes it run again.

    So a long run never occupies more than one of the worker's threads. Use it from one event loop only.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], Awaitable[object]],
        seconds_max: float,
        places: asyncio.Semaphore | None = None,
    ) -> None:
        """Cancel a run of `work` that takes longer than `seconds_max`.

        `places`: the semaphore that limits parallel runs of several works; waiting for it does not count.
        """
        self.name = name
        self.places = places
        self.work = work
        self.seconds_max = seconds_max
        self.running = False
        self.wanted = False
        self.failing = False
        self.ending = False
        self._task: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        """Run the work unless it is running. Raises the work's exception."""
        self.wanted = True
        if self.running:
            return
        self.running = True
        ends_at = time.monotonic() + WORK_SECONDS
        try:
            while self.wanted and time.monotonic() < ends_at:
                self.wanted = False
                await self._work()
        finally:
            self.running = False
        if self.wanted:
            self.start()

    async def _work(self) -> None:
        """Run the work once. If the database fails, the next tick continues from the tables."""
        try:
            async with self.places or nullcontext(), asyncio.timeout(self.seconds_max) as limit:
                await self.work()
        except AWAY as error:
            if limit.expired():
                raise Hanging(f"it took longer than {self.seconds_max:g} s") from error
            if outage(error) is None:
                raise
            availability().suspect(error)

    def start(self) -> asyncio.Task[None] | None:
        """Start the work in a new task and return it; if the work is running, make it run again instead."""
        self.wanted = True
        if not self.running and not self.ending and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run())
        return self._task

    async def end(self) -> None:
        """Start no more runs and wait for the running one; on cancellation, cancel it."""
        self.ending = True
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        """Run the work; log the first of consecutive failures. The next tick retries."""
        try:
            await self()
        except Exception:
            if not self.failing:
                log.exception("%s failed, trying on", self.name)
            self.failing = True
        else:
            if self.failing:
                log.info("%s goes on", self.name)
            self.failing = False


class Works:
    """The works of one process: evaluation of its shards, jobs, and marking of skipped accounts."""

    def __init__(self, seconds_max: dict[str, float]) -> None:
        """`seconds_max`: the time limit of each actor's work, by the actor's name."""
        self.owner: Ownership | None = None  # None until the database is open
        self.queue = Coalesced("the work queue", partial(work_queue.do_jobs, WORK_SECONDS), seconds_max["work_queue"])
        overdue = partial(marking.mark_all, behind=marking.OVERDUE)
        self.overdue = Coalesced("marking to market", overdue, seconds_max["mark_to_market"])
        self._evaluator_seconds_max = seconds_max["evaluator"]
        self._shards: dict[int, tuple[Marker, Coalesced]] = {}
        self._places = asyncio.Semaphore(SHARDS_AT_ONCE)

    async def evaluate(self) -> None:
        """Apply every new batch to this process's shards, and notify the other workers."""
        if self.owner is None:
            return
        if not self.owner.has_all:
            await self._announce(self.owner)
        if tasks := self.evaluate_soon():
            await asyncio.wait(tasks, timeout=WORK_SECONDS)  # the caller returns; the tasks continue

    async def _announce(self, owner: Ownership) -> None:
        """Notify the other workers of new batches. Without a database skip it: their ticks find the batches."""
        try:
            await owner.announce_batches()
        except AWAY as error:
            if outage(error) is None:
                raise
            availability().suspect(error)

    def evaluate_soon(self, shards: Iterable[int] | None = None) -> list[asyncio.Task[None]]:
        """Start evaluating the process's own shards, or some of them; return the tasks without waiting."""
        markers = self.owner.markers if self.owner else {}
        self._shards = {shard: known for shard, known in self._shards.items() if markers.get(shard) is known[0]}
        own = [markers[shard] for shard in (list(markers) if shards is None else shards) if shard in markers]
        return [task for marker in own if (task := self._evaluator(marker).start())]

    async def end(self) -> None:
        """Hand the shards over and finish running work; on cancellation, cancel it."""
        if self.owner is not None:
            await self.owner.end()
        await asyncio.gather(*(one.end() for one in (self.queue, self.overdue, *self._evaluators())))

    def _evaluators(self) -> list[Coalesced]:
        return [coalesced for _, coalesced in self._shards.values()]

    def _evaluator(self, marker: Marker) -> Coalesced:
        """Return the work that evaluates the shard while this process owns it."""
        known = self._shards.get(marker.shard)
        if known is None or known[0] is not marker:
            name, drain = f"the evaluator of shard {marker.shard}", partial(self._drain, marker)
            known = marker, Coalesced(name, drain, self._evaluator_seconds_max, self._places)
            self._shards[marker.shard] = known
        return known[1]

    async def _drain(self, marker: Marker) -> None:
        try:
            await marker.drain(WORK_SECONDS)
        except ShardLost as lost:
            log.warning("%s; its marks are left to that one", lost)
            assert self.owner is not None, "it has given out the marker"
            self.owner.drop(marker)
