"""Subscribers that are up to date: told of new events at once, a group that asks for the same with the same bytes.

A group has one authorisation, one filter and one selection, so that each is looked at once an event. A client that does
not make room drops out of its group, and catches up by itself.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from app.live.rendering import EventRenderer, EventSelection
from app.server.websockets import text_frame
from services.views.events import Event, Terms

CHUNK_BYTES = 64 << 10  # written to one socket at once; a single event may be more
TURN = 250  # sockets written to before the rest of the process has its turn

EventScope = tuple[str | None, str | None]
"""Brand and client whose events are asked for; None is any."""


class FrameWriter(Protocol):
    """A socket that takes frames as they are."""

    def deliver(self, frames: bytes) -> bool:
        """Write them; False, and nothing is written, while the client has not made room, or it is gone."""
        ...

    async def push(self, frames: bytes) -> None:
        """Write them when the client has made room. Raises once it has not for too long, or is gone."""
        ...


class SubscriberGroup(NamedTuple):
    """What its members have in common."""

    terms: Terms
    selection: EventSelection

    @property
    def whose(self) -> EventScope:
        return self.terms.visibility.brand, self.terms.visibility.client or self.terms.wanted.client


class Subscriber:
    """One operation of one connection. `cursor`: every event up to it is written, or was not for it."""

    __slots__ = ("_behind", "cursor", "group", "head", "left", "socket")

    def __init__(self, group: SubscriberGroup, socket: FrameWriter, head: bytes, cursor: int) -> None:
        self.group = group
        self.socket = socket
        self.head = head  # of its messages, up to the payload
        self.cursor = cursor
        self.left = False  # its operation is over
        self._behind: asyncio.Future[None] | None = None

    def frames(self, payloads: Iterable[bytes]) -> bytes:
        """The `next` messages with these payloads, ready to be written."""
        return b"".join([text_frame(b"%b%b}" % (self.head, payload)) for payload in payloads])

    @property
    def is_told(self) -> bool:
        return self._behind is not None

    async def told(self) -> None:
        """Wait, as one of the crowd, until it has fallen behind."""
        self._behind = asyncio.get_running_loop().create_future()
        try:
            await self._behind
        finally:
            self._behind = None

    def fall_behind(self, cursor: int) -> None:
        """Its socket did not take what comes after the cursor."""
        if self._behind is not None and not self._behind.done():
            self._behind.set_result(None)
        self.cursor = cursor


class FanOut:
    """The members that are up to date."""

    def __init__(self, renderer: EventRenderer) -> None:
        self._renderer = renderer
        self._groups: defaultdict[EventScope, dict[SubscriberGroup, dict[Subscriber, None]]] = defaultdict(dict)

    def join(self, member: Subscriber) -> None:
        """From now on it is told of every event after its cursor."""
        self._groups[member.group.whose].setdefault(member.group, {})[member] = None

    def leave(self, member: Subscriber) -> None:
        """Forget the member, if it is here."""
        groups = self._groups.get(member.group.whose, {})
        members = groups.get(member.group, {})
        members.pop(member, None)
        if not members:
            groups.pop(member.group, None)
        if not groups:
            self._groups.pop(member.group.whose, None)

    def disperse(self, through: int) -> None:
        """Send every member away to catch up alone; what they were to get up to this position they have had."""
        for groups in list(self._groups.values()):
            for members in list(groups.values()):
                for member in list(members):
                    self.leave(member)
                    member.fall_behind(max(through, member.cursor))

    async def tell(self, events: Sequence[Event]) -> None:
        """Write new events, in order, to every member that may have them and wants them.

        The events have been read by one statement, so their `reach` is the same for all of one challenge.
        """
        written = 0
        for group, due in self._due(events).items():
            for chunk in self._chunks(group.selection, due):
                frames = _Frames([payload for _, payload in chunk])
                first = chunk[0][0].position
                for member in self._members(group):
                    if member.cursor >= first or member.left:
                        continue  # it has joined since
                    if not member.socket.deliver(frames.of(member)):
                        self.leave(member)
                        member.fall_behind(first - 1)
                    else:
                        member.cursor = chunk[-1][0].position
                    written += 1
                    if written % TURN == 0:
                        await asyncio.sleep(0)

    def _members(self, group: SubscriberGroup) -> list[Subscriber]:
        return list(self._groups.get(group.whose, {}).get(group, ()))

    def _due(self, events: Sequence[Event]) -> dict[SubscriberGroup, list[Event]]:
        """The events each group gets."""
        due: dict[SubscriberGroup, list[Event]] = {}
        for event in events:
            for whose in {(b, c) for b in (None, event.brand) for c in (None, event.client)}:
                for group in self._groups.get(whose, ()):
                    if group.terms.admit(event, event.reach):
                        due.setdefault(group, []).append(event)
        return due

    def _chunks(self, selection: EventSelection, events: Sequence[Event]) -> Iterator[list[tuple[Event, bytes]]]:
        """The events with their payloads, in pieces of about CHUNK_BYTES."""
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
    """The same payloads for many: framed once for all whose operations have the same id."""

    def __init__(self, payloads: Sequence[bytes]) -> None:
        self._payloads = payloads
        self._made: dict[bytes, bytes] = {}

    def of(self, member: Subscriber) -> bytes:
        made = self._made.get(member.head)
        if made is None:
            made = self._made[member.head] = member.frames(self._payloads)
        return made
