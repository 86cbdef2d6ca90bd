"""The fan-out of new events to all subscribers that are up to date; a group of them gets the same bytes.

The subscribers of a group share one authorisation, one filter and one selection, so each of these is evaluated once per
event. A subscriber whose socket is full leaves its group and catches up by itself.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from app.live.rendering import EventRenderer, EventSelection
from app.server.websockets import text_frame
from services.views.events import Event, SubscriptionTerms

CHUNK_BYTES = 64 << 10  # written to one socket at once; a single event may be larger
TURN = 250  # sockets written to before other tasks have their turn

EventScope = tuple[str | None, str | None]
"""Brand and client whose events a group gets; None means any."""


class FrameWriter(Protocol):
    """A socket that takes ready frames."""

    def deliver(self, frames: bytes) -> bool:
        """Write the frames and return True; False, with nothing written, if the socket is full or closed."""
        ...

    async def push(self, frames: bytes) -> None:
        """Write the frames once the socket has room. Raises if it has none for too long, or is closed."""
        ...


class SubscriberGroup(NamedTuple):
    """The terms and the selection that its subscribers share."""

    terms: SubscriptionTerms
    selection: EventSelection

    @property
    def scope(self) -> EventScope:
        return self.terms.visibility.brand, self.terms.visibility.client or self.terms.wanted.client


class Subscriber:
    """One subscription of one connection. Every event up to `cursor` is written to it, or was not for it."""

    __slots__ = ("_behind", "cursor", "group", "has_left", "head", "socket")

    def __init__(self, group: SubscriberGroup, socket: FrameWriter, head: bytes, cursor: int) -> None:
        self.group = group
        self.socket = socket
        self.head = head  # the text of its messages before the payload
        self.cursor = cursor
        self.has_left = False  # its operation is over
        self._behind: asyncio.Future[None] | None = None

    def frames(self, payloads: Iterable[bytes]) -> bytes:
        """Return the `next` messages with these payloads as frames."""
        return b"".join([text_frame(b"%b%b}" % (self.head, payload)) for payload in payloads])

    @property
    def is_live(self) -> bool:
        """Return whether the fan-out writes new events to it."""
        return self._behind is not None

    async def wait_until_behind(self) -> None:
        """Wait, while the fan-out writes to it, until it has fallen behind."""
        self._behind = asyncio.get_running_loop().create_future()
        try:
            await self._behind
        finally:
            self._behind = None

    def fall_behind(self, cursor: int) -> None:
        """Set the cursor after which its socket took no events, and end its wait."""
        if self._behind is not None and not self._behind.done():
            self._behind.set_result(None)
        self.cursor = cursor


class FanOut:
    """The subscribers that are up to date, by group."""

    def __init__(self, renderer: EventRenderer) -> None:
        self._renderer = renderer
        self._groups: defaultdict[EventScope, dict[SubscriberGroup, dict[Subscriber, None]]] = defaultdict(dict)

    def join(self, subscriber: Subscriber) -> None:
        """Write every event after the subscriber's cursor to it from now on."""
        self._groups[subscriber.group.scope].setdefault(subscriber.group, {})[subscriber] = None

    def leave(self, subscriber: Subscriber) -> None:
        """Remove the subscriber, if it is here."""
        groups = self._groups.get(subscriber.group.scope, {})
        subscribers = groups.get(subscriber.group, {})
        subscribers.pop(subscriber, None)
        if not subscribers:
            groups.pop(subscriber.group, None)
        if not groups:
            self._groups.pop(subscriber.group.scope, None)

    def disperse(self, through: int) -> None:
        """Remove every subscriber, so that each catches up alone from this position on."""
        for groups in list(self._groups.values()):
            for subscribers in list(groups.values()):
                for subscriber in list(subscribers):
                    self.leave(subscriber)
                    subscriber.fall_behind(max(through, subscriber.cursor))

    async def publish(self, events: Sequence[Event]) -> None:
        """Write new events, in order, to every subscriber that may see them and wants them.

        One statement has read the events, so all events of a challenge have the same `reach`.
        """
        written = 0
        for group, due in self._due(events).items():
            for chunk in self._chunks(group.selection, due):
                frames = _Frames([payload for _, payload in chunk])
                first = chunk[0][0].position
                for subscriber in self._subscribers(group):
                    if subscriber.cursor >= first or subscriber.has_left:
                        continue  # it has joined, or left, during the publication
                    if not subscriber.socket.deliver(frames.of(subscriber)):
                        self.leave(subscriber)
                        subscriber.fall_behind(first - 1)
                    else:
                        subscriber.cursor = chunk[-1][0].position
                    written += 1
                    if written % TURN == 0:
                        await asyncio.sleep(0)

    def _subscribers(self, group: SubscriberGroup) -> list[Subscriber]:
        return list(self._groups.get(group.scope, {}).get(group, ()))

    def _due(self, events: Sequence[Event]) -> dict[SubscriberGroup, list[Event]]:
        """Return the events of each group."""
        due: dict[SubscriberGroup, list[Event]] = {}
        for event in events:
            for scope in {(b, c) for b in (None, event.brand) for c in (None, event.client)}:
                for group in self._groups.get(scope, ()):
                    if group.terms.admit(event, event.reach):
                        due.setdefault(group, []).append(event)
        return due

    def _chunks(self, selection: EventSelection, events: Sequence[Event]) -> Iterator[list[tuple[Event, bytes]]]:
        """Yield the events with their payloads in chunks of about CHUNK_BYTES."""
        chunk: list[tuple[Event, bytes]] = []
        size = 0
        for event in events:
            payload = self._renderer.payload(selection, event)
            if chunk and size + len(payload) > CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
            chunk.append((event, payload))
            size += len(payload)
        if chunk:
            yield chunk


class _Frames:
    """The frames of some payloads, made once for all subscribers whose operations have the same id."""

    def __init__(self, payloads: Sequence[bytes]) -> None:
        self._payloads = payloads
        self._by_head: dict[bytes, bytes] = {}

    def of(self, subscriber: Subscriber) -> bytes:
        frames = self._by_head.get(subscriber.head)
        if frames is None:
            frames = self._by_head[subscriber.head] = subscriber.frames(self._payloads)
        return frames
