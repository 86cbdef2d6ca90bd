"""The stream of stamped events, and the part of it that a subscriber may have."""

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from domain.reasons import shown_event
from models.events import CHANNEL, DESK
from models.views import events as rows
from models.views.events import StreamExtent
from models.views.list_query import Row
from models.views.visibility import OF_SALES, Visibility
from services.principals import Principal
from services.unit_of_work.reads import read_connection
from services.views.visibility import visibility_of

log = logging.getLogger(__name__)

__all__ = [
    "BEGINNING",
    "CHANNEL",
    "ChallengeScope",
    "Cursor",
    "CursorExpired",
    "Event",
    "EventFilter",
    "StreamExtent",
    "SubscriptionTerms",
    "events_after",
    "missed_events",
    "position_of",
    "stream_extent",
]


class CursorExpired(Exception):
    """Some events after this cursor are no longer kept: read the state anew, and subscribe without a cursor."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason} Read the state anew and subscribe without a cursor.")


class Cursor(NamedTuple):
    """A place in the stream as subscribers name it: right after an event, or before the first one."""

    challenge_id: int
    number: int
    epoch: int = 0  # of the event: after a restore another event may have its number


BEGINNING = Cursor(0, 0)


class ChallengeScope(NamedTuple):
    """The accounts of a challenge and their traders, which decide whether a trader's scope includes it."""

    accounts: frozenset[int] = frozenset()
    clones: frozenset[str] = frozenset()


NOWHERE = ChallengeScope()


@dataclass(frozen=True, slots=True)
class Event:
    """An event: its facts, its place in the order of all events, and its owner."""

    position: int  # among all events
    brand_position: int  # among those of its brand
    brand: str
    challenge_id: int
    number: int
    name: str
    payload: dict[str, Any]
    market_time: datetime
    client: str | None  # of the challenge
    recorded_at: datetime  # just before its transaction committed
    reach: ChallengeScope = NOWHERE  # when it was read
    epoch: int = 0  # of the database, when the event was written


@dataclass(frozen=True, slots=True)
class EventFilter:
    """A subscriber's filter; None does not filter."""

    challenges: frozenset[int] | None = None
    names: frozenset[str] | None = None
    client: str | None = None
    of_desk: bool = False  # events of the desk itself, without a challenge

    def fits(self, event: Event) -> bool:
        return (
            (self.challenges is None or event.challenge_id in self.challenges)
            and (self.names is None or event.name in self.names)
            and (self.client is None or event.client == self.client)
        )


@dataclass(frozen=True, slots=True)
class SubscriptionTerms:
    """A subscription's terms: events that are visible to the principal and pass its filter."""

    visibility: Visibility
    wanted: EventFilter

    @classmethod
    def of(cls, principal: Principal, wanted: EventFilter) -> "SubscriptionTerms":
        return cls(Visibility(brand=DESK) if wanted.of_desk else visibility_of(principal), wanted)

    def admit(self, event: Event, reach: ChallengeScope) -> bool:
        """Return whether the subscriber may have and wants the event; the same as the conditions of `missed_events`.

        `reach` is what is known of its challenge by now.
        """
        visibility = self.visibility
        return (
            (event.brand != DESK if visibility.brand is None else event.brand == visibility.brand)
            and visibility.client in (None, event.client)
            and not (visibility.trades and event.name.startswith(OF_SALES))
            and (visibility.scope is None or _in_scope(visibility.scope, event, reach))
            and self.wanted.fits(event)
        )


def _in_scope(
    scope: tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...], tuple[int, ...]],
    event: Event,
    reach: ChallengeScope,
) -> bool:
    owners, clones, challenges, accounts = scope
    return (
        event.challenge_id in challenges
        or event.client in owners
        or not reach.accounts.isdisjoint(accounts)
        or not reach.clones.isdisjoint(clones)
    )


def _event(row: Row) -> Event:
    clones = frozenset(clone for clone in row["clones"] or () if clone is not None)
    return Event(
        row["position"],
        row["brand_position"],
        row["brand"],
        row["challenge_id"],
        row["number"],
        row["name"],
        _payload(row),
        row["market_time"],
        row["client"],
        row["recorded_at"],
        ChallengeScope(frozenset(row["accounts"] or ()), clones),
        row["epoch"],
    )


def _payload(row: Row) -> dict[str, Any]:
    """Return the event's facts, or their text if they cannot be read, so that later events are not held up."""
    try:
        facts: dict[str, Any] = json.loads(row["payload"])
    except ValueError as error:
        log.error("the payload of event %s cannot be read: %s", row["position"], error)
        return {"unreadable": row["payload"]}
    return shown_event(row["name"], facts)


async def stream_extent() -> StreamExtent:
    """Return how far the stream goes now, and how far its oldest events are deleted."""
    async with read_connection() as conn:
        return await rows.stream_extent(conn)


async def position_of(visibility: Visibility, cursor: Cursor) -> int:
    """Return the position after which the cursor's events begin.

    Raises CursorExpired for a cursor whose event is not kept or not visible, as after the restore of a backup.
    """
    async with read_connection() as conn:
        if cursor == BEGINNING:
            if (await rows.stream_extent(conn)).forgotten:
                raise CursorExpired("The first events are no longer kept.")
            return 0
        position = await rows.find_event_position(conn, visibility, *cursor)
    if position is None:
        raise CursorExpired(
            "after names no event that is kept, that no restore has lost, and that this token may read."
        )
    return position


async def events_after(position: int, most: int) -> list[Event]:
    """Return the next events of every brand, in order."""
    async with read_connection() as conn:
        return [_event(row) for row in await rows.events_after(conn, position, most)]


async def missed_events(principal: Principal, wanted: EventFilter, after: int, through: int, most: int) -> list[Event]:
    """Return at most `most` events with after < position <= through that the principal may have and wants, in order."""
    return await events_between(SubscriptionTerms.of(principal, wanted), after, through, most)


async def events_between(terms: SubscriptionTerms, after: int, through: int, most: int) -> list[Event]:
    """Return the events that meet the terms. Raises CursorExpired if events after `after` are no longer kept."""
    wanted = terms.wanted
    async with read_connection() as conn:
        found = await rows.missed_events(
            conn,
            terms.visibility,
            after,
            through,
            most,
            challenges=None if wanted.challenges is None else list(wanted.challenges),
            names=None if wanted.names is None else list(wanted.names),
            client=wanted.client,
        )
        ends = await rows.stream_extent(conn)  # after the rows: what is kept now was kept then
    if after < ends.forgotten:
        raise CursorExpired("The events that follow this cursor are no longer all kept.")
    return [_event(row) for row in found]
