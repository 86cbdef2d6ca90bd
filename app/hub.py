"""Live events: one LISTEN connection a process, a ring of what was last, and a cursor for each subscriber.

A subscriber pulls. Nothing is queued for it: what it has not read yet stands in the ring, or in the database.
Positions are dense and never given late, so one that moves its cursor from database to ring misses and repeats nothing.
"""

import asyncio
import logging
from bisect import bisect_right
from collections.abc import AsyncIterator

import asyncpg

from config.address import asyncpg_parameters
from config.database import APPLICATION_ROLE
from services.principals import Principal
from services.views import events
from services.views.events import CHANNEL, Event, Gate, Wanted

BATCH = 500  # events read from the database at once
TURN = 50  # events given to one subscriber before the others have their turn
READERS_MAX = 4  # subscribers that catch up from the database at once
POLL_SECONDS = 1.0  # the longest a lost notification delays an event
RETRY_SECONDS = 0.5
UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

log = logging.getLogger(__name__)


class Hub:
    """Hands stamped events to this process's subscribers. Used from one event loop."""

    def __init__(self, database_url: str, *, ring_size: int = 10_000) -> None:
        self._url = database_url
        self._ring_size = ring_size
        self._ring: list[Event] = []
        self._floor = 0  # every event after this position is in the ring
        self.head = 0  # the newest event it knows
        self.subscribers = 0
        self._wake = asyncio.Event()
        self._grown = asyncio.Event()  # set, and replaced, when the ring has grown
        self._readers = asyncio.Semaphore(READERS_MAX)

    async def begin(self) -> None:
        """Take note of where the stream stands; after it subscribers may come."""
        self._floor = self.head = await events.newest_position()

    async def run(self) -> None:
        """Follow the events until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._pump())

    async def subscribe(self, principal: Principal, wanted: Wanted, after: int | None) -> AsyncIterator[Event]:
        """What the principal may have and wants, once and in order: after a position, or from now on. Never ends."""
        cursor = await events.newest_position() if after is None else after
        self.subscribers += 1
        try:
            async for event in self._follow(principal, wanted, cursor):
                yield event
        finally:
            self.subscribers -= 1

    async def _follow(self, principal: Principal, wanted: Wanted, cursor: int) -> AsyncIterator[Event]:
        gate = Gate(principal)
        while True:
            if cursor < self._floor:
                through = self.head
                async with self._readers:
                    found = await events.missed(principal, wanted, cursor, through, BATCH)
                cursor = found[-1].position if len(found) == BATCH else through
                for event in found:
                    yield event
                continue
            grown = self._grown
            turn = self._after(cursor)
            for event in turn:
                cursor = event.position
                if wanted.fits(event) and await gate.opens(event):
                    yield event
            if turn:
                await asyncio.sleep(0)  # a client whose socket takes everything must not keep the loop
            else:
                await grown.wait()

    def _after(self, cursor: int) -> list[Event]:
        start = bisect_right(self._ring, cursor, key=lambda event: event.position)
        return self._ring[start : start + TURN]

    async def _pump(self) -> None:
        """Read what was stamped, when told and at the latest after POLL_SECONDS."""
        failing = False
        while True:
            self._wake.clear()
            try:
                while new := await events.all_after(self.head, BATCH):
                    self._keep(new)
                failing = False
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue
            except UNREACHABLE as error:
                if not failing:
                    log.warning("events cannot be read for now: %s", error)
                failing = True
                await asyncio.sleep(RETRY_SECONDS)

    def _keep(self, new: list[Event]) -> None:
        self._ring.extend(new)
        self.head = new[-1].position
        if len(self._ring) > 2 * self._ring_size:
            self._floor = self._ring[-self._ring_size - 1].position
            self._ring = self._ring[-self._ring_size :]
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    async def _listen(self) -> None:
        """Keep one connection that is told of new events; while it is down, the poll does."""
        failing = False
        while True:
            try:
                await self._listen_once()
                failing = False
            except UNREACHABLE as error:
                if not failing:
                    log.warning("cannot listen for events for now: %s", error)
                failing = True
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen_once(self) -> None:
        """Listen until the connection ends."""
        ended = asyncio.Event()
        names = {"application_name": "propdesk-listener", "role": APPLICATION_ROLE}
        conn = await asyncpg.connect(**asyncpg_parameters(self._url), server_settings=names)
        try:
            conn.add_termination_listener(lambda _conn: ended.set())
            await conn.add_listener(CHANNEL, lambda *_told: self._wake.set())
            self._wake.set()  # what came while nobody listened
            await ended.wait()
        finally:
            conn.terminate()
