"""The hub of live events: one LISTEN connection per process, a ring of the newest events, a cursor per subscriber.

No events are queued for a subscriber: those it has not had yet are in the ring or in the database. The fan-out writes
to subscribers that are up to date; all others read the ring or the database from their cursor. Positions have no gaps
and are assigned in order, so a subscriber that moves from database to ring to fan-out misses and repeats nothing.
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
from config.sessions import open_session
from domain.errors import Busy
from services import host_clock
from services.admission import FairShare, Limits
from services.availability import availability
from services.callers import Caller, current
from services.principals import Principal
from services.supervision import Supervisor
from services.telemetry import EVENT_DELAY_SECONDS
from services.views import events
from services.views.events import CHANNEL, ChallengeScope, Cursor, Event, EventFilter, SubscriptionTerms
from services.views.ticks import Watched

BATCH = 500  # events read from the database at once
LOOKED_MAX = 10_000  # positions that one statement searches for the events of a subscriber
TURN = 50  # events for one subscriber before other tasks have their turn
READERS = Limits(places=4, brand=3, bearer=2)  # concurrent reads of subscribers that catch up from the database
POLL_SECONDS = 1.0  # the longest delay of an event whose notification is lost
RETRY_SECONDS = 0.5

HUB = Caller("hub", "hub", 0)  # the caller of reads for subscribers without a bearer

log = logging.getLogger(__name__)


class Hub:
    """The source of stamped events for this process's subscribers. Used from one event loop."""

    def __init__(self, database_url: str, *, tick_seconds: float = 1.0, ring_size: int = 10_000) -> None:
        self._url = database_url
        self._ring_size = ring_size
        self._ring: list[Event] = []
        self._reach: dict[int, ChallengeScope] = {}  # by challenge in the ring, the newest
        self._floor = 0  # every event after this position is in the ring
        self.head = 0  # position of the newest event in the ring
        self.subscribers = 0
        self.renderer = EventRenderer()
        self._ticks = TickWatcher(tick_seconds)
        self._fan_out = FanOut(self.renderer)
        self._wake = asyncio.Event()
        self._grown = asyncio.Event()  # set, and replaced, when the ring has grown
        self._readers = FairShare(READERS)

    async def begin(self) -> None:
        """Begin at the newest event; afterwards subscribers may come."""
        self._floor = self.head = (await events.stream_extent()).newest

    async def run(self, supervisor: Supervisor) -> None:
        """Read new events until cancelled. The supervisor restarts a failed task, so subscriptions survive failures."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(supervisor.keep("event listener", self._listen))
            tasks.create_task(supervisor.keep("event reader", self._pump))
            tasks.create_task(supervisor.keep("tick reader", self._ticks.run))

    def changes(self, watched: Watched) -> AsyncGenerator[None, None]:
        """Yield at once, and again after each change of the watched objects; several changes may be one."""
        return self._ticks.changes(watched)

    async def start_position(self, terms: SubscriptionTerms, after: Cursor | None) -> int:
        """Return the position after which a subscriber begins: that of its cursor, or of the newest event.

        Raises CursorExpired, and Away if an outage of the database lasts too long.
        """

        async def position() -> int:
            return (
                (await events.stream_extent()).newest
                if after is None
                else await events.position_of(terms.visibility, after)
            )

        return await availability().outlast(position, START_SECONDS_MAX)

    async def subscribe(self, principal: Principal, wanted: EventFilter, after: Cursor | None) -> AsyncIterator[Event]:
        """Yield the events that the principal may see and wants, once each and in order, after the cursor if any.

        Never ends. Raises CursorExpired.
        """
        terms = SubscriptionTerms.of(principal, wanted)
        cursor = await self.start_position(terms, after)
        self.subscribers += 1
        try:
            while True:
                grown = self._grown
                some, reached = await self._next_events(terms, cursor)
                for event in some:
                    yield event
                await (grown.wait() if reached == cursor else asyncio.sleep(0))
                cursor = reached
        finally:
            self.subscribers -= 1

    async def follow(self, subscriber: Subscriber) -> None:
        """Write every event after the subscriber's cursor to its socket. Never ends.

        Raises CursorExpired, and the exceptions of the socket if its client does not read or has gone.
        """
        self.subscribers += 1
        try:
            while True:
                await self._catch_up(subscriber)
                self._fan_out.join(subscriber)
                await subscriber.wait_until_behind()
        finally:
            self.leave(subscriber)
            self.subscribers -= 1

    def leave(self, subscriber: Subscriber) -> None:
        """Write nothing more to the subscriber."""
        subscriber.has_left = True
        self._fan_out.leave(subscriber)

    async def _catch_up(self, subscriber: Subscriber) -> None:
        """Write the events that the subscriber has not had; it is up to date when this returns."""
        while True:
            grown = self._grown
            some, reached = await self._next_events(subscriber.group.terms, subscriber.cursor)
            for event in some:
                frame = subscriber.frames([self.renderer.payload(subscriber.group.selection, event)])
                if not subscriber.socket.deliver(frame):
                    await subscriber.socket.push(frame)
                subscriber.cursor = event.position
            if reached != subscriber.cursor or some:
                subscriber.cursor = reached
                await asyncio.sleep(0)
            elif reached == self.head:
                return
            else:  # its cursor comes from a process that is ahead of this one
                await grown.wait()

    async def _next_events(self, terms: SubscriptionTerms, cursor: int) -> tuple[list[Event], int]:
        """Return the next events for a subscriber after its cursor, and its new cursor; the same if there are none yet.

        They are at most BATCH, so a client that reads fast does not hold the event loop.
        """
        if cursor < self._floor:
            through = min(self.head, cursor + LOOKED_MAX)
            stored = await self._stored_events(terms, cursor, through)
            return stored, stored[-1].position if len(stored) == BATCH else through
        start = bisect_right(self._ring, cursor, key=lambda event: event.position)
        turn = self._ring[start : start + TURN]
        reached = turn[-1].position if turn else cursor
        return [event for event in turn if terms.admit(event, self._reach[event.challenge_id])], reached

    async def _stored_events(self, terms: SubscriptionTerms, cursor: int, through: int) -> list[Event]:
        """Return events from the database. During an outage the subscribers wait.

        Raises CursorExpired, and errors of the statement itself, which would fail again.
        """
        reader = current() or HUB
        while True:
            try:
                place = self._readers.take(reader) or await self._readers.wait(reader)
                try:
                    stored = await events.events_between(terms, cursor, through, BATCH)
                finally:
                    self._readers.give(place)
            except asyncpg.QueryCanceledError:
                raise
            except Busy:  # other work of its bearer uses all connections that the bearer may use
                await asyncio.sleep(RETRY_SECONDS)
            except AWAY as error:
                availability().suspect(error)
                await availability().settled()
            else:
                return stored

    async def _pump(self) -> None:
        """Read new events after each notification, and at the latest after POLL_SECONDS."""
        while True:
            self._wake.clear()
            try:
                while new := await events.events_after(self.head, BATCH):
                    self._append(new)
                    await self._publish(new)
                    _measure(new)
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue
            except AWAY as error:
                availability().suspect(error)
                await availability().settled()

    async def _publish(self, new: list[Event]) -> None:
        """Write new events to the subscribers that are up to date.

        If that fails, each of them catches up alone: the failure then meets the subscriber that caused it, in its own
        task, and the others get their events.
        """
        try:
            await self._fan_out.publish(new)
        except Exception:
            log.exception("the fan-out of events %s to %s failed", new[0].position, new[-1].position)
            self._fan_out.disperse(new[0].position - 1)

    def _append(self, new: list[Event]) -> None:
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
        """Keep one connection that gets notifications of new events; while it is down, the poll finds them."""
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
        conn = await open_session(self._url, process="listener")
        try:
            conn.add_termination_listener(lambda _conn: ended.set())
            await conn.add_listener(CHANNEL, lambda *_notification: self._wake.set())
            self._wake.set()  # events may have come before the connection listened
            await ended.wait()
        finally:
            conn.terminate()


def _measure(published: Sequence[Event]) -> None:
    """Observe the delay from the writing of these events to their publication."""
    now = host_clock.database_time()
    for event in published:
        EVENT_DELAY_SECONDS.observe(max(0.0, (now - event.recorded_at).total_seconds()))
