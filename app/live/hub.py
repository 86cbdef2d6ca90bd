"""Live events: one LISTEN connection a process, a ring of what was last, and a cursor for each subscriber.

Nothing is queued for a subscriber: what it has not had yet stands in the ring, or in the database. One that is up to
date is told by the crowd; one that is not, or whose selection is its own, pulls. Positions are dense and never given
late, so one that moves its cursor from database to ring to crowd misses and repeats nothing.
"""

import asyncio
import logging
from bisect import bisect_right
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import asyncpg

from app.live.fan_out import FanOut, Subscriber
from app.live.rendering import EventRenderer
from app.live.ticks import START_SECONDS_MAX, TickWatcher
from config.outages import AWAY
from config.sessions import connect
from domain.errors import Busy
from services import host_clock
from services.admission import FairShare, Limits
from services.availability import availability
from services.callers import Caller, current
from services.principals import Principal
from services.supervision import Supervisor
from services.telemetry import EVENT_DELAY_SECONDS
from services.views import events
from services.views.events import CHANNEL, Cursor, Event, Reach, Terms, Wanted
from services.views.ticks import Watched

BATCH = 500  # events read from the database at once
LOOKED_MAX = 10_000  # positions that one statement looks at for those of a subscriber
TURN = 50  # events given to one subscriber before the others have their turn
READERS = Limits(places=4, brand=3, bearer=2)  # subscribers that catch up from the database at once
POLL_SECONDS = 1.0  # the longest a lost notification delays an event
RETRY_SECONDS = 0.5

HUB = Caller("hub", "hub", 0)  # who catches up where no bearer is known

log = logging.getLogger(__name__)


class Hub:
    """Hands stamped events to this process's subscribers. Used from one event loop."""

    def __init__(self, database_url: str, *, tick_seconds: float = 1.0, ring_size: int = 10_000) -> None:
        self._url = database_url
        self._ring_size = ring_size
        self._ring: list[Event] = []
        self._reach: dict[int, Reach] = {}  # of every challenge in the ring, the newest known
        self._floor = 0  # every event after this position is in the ring
        self.head = 0  # the newest event it knows
        self.subscribers = 0
        self.renderer = EventRenderer()
        self._ticks = TickWatcher(tick_seconds)
        self._crowd = FanOut(self.renderer)
        self._wake = asyncio.Event()
        self._grown = asyncio.Event()  # set, and replaced, when the ring has grown
        self._readers = FairShare(READERS)

    async def begin(self) -> None:
        """Take note of where the stream stands; after it subscribers may come."""
        self._floor = self.head = (await events.extent()).newest

    async def run(self, supervisor: Supervisor) -> None:
        """Follow the events until cancelled. A task that fails is restarted, so no failure ends the subscriptions."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(supervisor.keep("event listener", self._listen))
            tasks.create_task(supervisor.keep("event reader", self._pump))
            tasks.create_task(supervisor.keep("tick reader", self._ticks.run))

    def changes(self, watched: Watched) -> AsyncGenerator[None, None]:
        """Yields at once, and again whenever what is watched has changed since, however often that was."""
        return self._ticks.changes(watched)

    async def start(self, terms: Terms, after: Cursor | None) -> int:
        """Return the position from which a subscriber begins: that of its cursor, or that of now.

        Raises CursorExpired, and Away where the database stays away for too long.
        """

        async def position() -> int:
            return (
                (await events.extent()).newest if after is None else await events.position_of(terms.visibility, after)
            )

        return await availability().outlast(position, START_SECONDS_MAX)

    async def subscribe(self, principal: Principal, wanted: Wanted, after: Cursor | None) -> AsyncIterator[Event]:
        """What the principal may have and wants, once and in order: after a cursor, or from now on. Never ends.

        Raises CursorExpired.
        """
        terms = Terms.of(principal, wanted)
        cursor = await self.start(terms, after)
        self.subscribers += 1
        try:
            while True:
                grown = self._grown
                found, reached = await self._some(terms, cursor)
                for event in found:
                    yield event
                await (grown.wait() if reached == cursor else asyncio.sleep(0))
                cursor = reached
        finally:
            self.subscribers -= 1

    async def follow(self, member: Subscriber) -> None:
        """Have everything after the member's cursor written to its socket. Never ends.

        Raises CursorExpired, and what its socket raises once its client does not read, or is gone.
        """
        self.subscribers += 1
        try:
            while True:
                await self._catch_up(member)
                self._crowd.join(member)
                await member.told()
        finally:
            self.leave(member)
            self.subscribers -= 1

    def leave(self, member: Subscriber) -> None:
        """Nothing more is written to it."""
        member.left = True
        self._crowd.leave(member)

    async def _catch_up(self, member: Subscriber) -> None:
        """Write what the member has not had; it is up to date when this returns."""
        while True:
            grown = self._grown
            found, reached = await self._some(member.group.terms, member.cursor)
            for event in found:
                frame = member.frames([self.renderer.payload(member.group.selection, event)])
                if not member.socket.deliver(frame):
                    await member.socket.push(frame)
                member.cursor = event.position
            if reached != member.cursor or found:
                member.cursor = reached
                await asyncio.sleep(0)
            elif reached == self.head:
                return
            else:  # another process is ahead of this one
                await grown.wait()

    async def _some(self, terms: Terms, cursor: int) -> tuple[list[Event], int]:
        """Of the events after a cursor some that are for the subscriber, and the cursor after them.

        The same cursor: there is nothing yet. A client whose socket takes everything must not keep the loop, so there
        are never many.
        """
        if cursor < self._floor:
            through = min(self.head, cursor + LOOKED_MAX)
            found = await self._missed(terms, cursor, through)
            return found, found[-1].position if len(found) == BATCH else through
        start = bisect_right(self._ring, cursor, key=lambda event: event.position)
        turn = self._ring[start : start + TURN]
        reached = turn[-1].position if turn else cursor
        return [event for event in turn if terms.admit(event, self._reach[event.challenge_id])], reached

    async def _missed(self, terms: Terms, cursor: int, through: int) -> list[Event]:
        """Events from the database. While it is away the subscribers wait.

        Raises CursorExpired, and what the statement itself raises: it would fail again, however often it is tried.
        """
        reader = current() or HUB
        while True:
            try:
                place = self._readers.take(reader) or await self._readers.wait(reader)
                try:
                    missed = await events.between(terms, cursor, through, BATCH)
                finally:
                    self._readers.give(place)
            except asyncpg.QueryCanceledError:
                raise
            except Busy:  # its bearer's other work has all of its connections
                await asyncio.sleep(RETRY_SECONDS)
            except AWAY as error:
                availability().suspect(error)
                await availability().settled()
            else:
                return missed

    async def _pump(self) -> None:
        """Read what was stamped, when told and at the latest after POLL_SECONDS."""
        while True:
            self._wake.clear()
            try:
                while new := await events.all_after(self.head, BATCH):
                    self._keep(new)
                    await self._tell(new)
                    _measure(new)
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue
            except AWAY as error:
                availability().suspect(error)
                await availability().settled()

    async def _tell(self, new: list[Event]) -> None:
        """Write new events to the crowd.

        When that fails, everybody in it catches up alone: the subscriber that caused the failure meets it there, in a
        task of its own, and the others get their events.
        """
        try:
            await self._crowd.tell(new)
        except Exception:
            log.exception("events %s to %s cannot be written to all", new[0].position, new[-1].position)
            self._crowd.disperse(new[0].position - 1)

    def _keep(self, new: list[Event]) -> None:
        self._ring.extend(new)
        self._reach |= {event.challenge_id: event.reach for event in new}
        self.head = new[-1].position
        if len(self._ring) > 2 * self._ring_size:
            self._floor = self._ring[-self._ring_size - 1].position
            self._ring = self._ring[-self._ring_size :]
            kept = {event.challenge_id for event in self._ring}
            self._reach = {challenge: reach for challenge, reach in self._reach.items() if challenge in kept}
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    async def _listen(self) -> None:
        """Keep one connection that is told of new events; while it is down, the poll does."""
        while True:
            try:
                await self._listen_once()
            except AWAY as error:
                availability().suspect(error)
                await availability().settled()
            else:
                await asyncio.sleep(RETRY_SECONDS)

    async def _listen_once(self) -> None:
        """Listen until the connection ends."""
        ended = asyncio.Event()
        conn = await connect(self._url, process="listener")
        try:
            conn.add_termination_listener(lambda _conn: ended.set())
            await conn.add_listener(CHANNEL, lambda *_told: self._wake.set())
            self._wake.set()  # what came while nobody listened
            await ended.wait()
        finally:
            conn.terminate()


def _measure(told: Sequence[Event]) -> None:
    """How long after they were written these events have been handed to everybody who follows live."""
    now = host_clock.now()
    for event in told:
        EVENT_DELAY_SECONDS.observe(max(0.0, (now - event.recorded_at).total_seconds()))
