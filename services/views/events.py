"""The stream of stamped events, and what of it a subscriber may have."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.events import CHANNEL
from models.views import events as rows
from models.views.challenges import CHALLENGES
from models.views.listing import Row, by_ids
from services.principals import Principal
from services.unit import reading
from services.views.sight import sight_of

__all__ = ["CHANNEL", "Event", "Gate", "Wanted", "all_after", "missed", "newest_position"]


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, where in the order of all events, and whose it is."""

    position: int
    brand: str
    challenge_id: int
    number: int
    name: str
    payload: dict[str, Any]
    market_time: datetime
    client: str | None  # whose challenge it was


@dataclass(frozen=True, slots=True)
class Wanted:
    """A subscriber's filter; None is no bound."""

    challenges: frozenset[int] | None = None
    names: frozenset[str] | None = None
    client: str | None = None

    def fits(self, event: Event) -> bool:
        return (
            (self.challenges is None or event.challenge_id in self.challenges)
            and (self.names is None or event.name in self.names)
            and (self.client is None or event.client == self.client)
        )


class Gate:
    """May the principal have this event? By brand and client; a trader's scope is asked once for each challenge."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.sight = sight_of(principal)
        self._reached: set[int] = set()

    async def opens(self, event: Event) -> bool:
        sight = self.sight
        if sight.brand not in (None, event.brand) or sight.client not in (None, event.client):
            return False
        if sight.scope is None or event.challenge_id in self._reached:
            return True
        async with reading() as conn:
            if not await by_ids(conn, CHALLENGES, sight, [event.challenge_id]):
                return False
        self._reached.add(event.challenge_id)
        return True


def _event(row: Row) -> Event:
    return Event(
        row["position"],
        row["brand"],
        row["challenge_id"],
        row["number"],
        row["name"],
        json.loads(row["payload"]),
        row["market_time"],
        row["client"],
    )


async def newest_position() -> int:
    """The position of the newest event that has one."""
    async with reading() as conn:
        return await rows.newest_position(conn)


async def all_after(position: int, most: int) -> list[Event]:
    """The next events of every brand, in order."""
    async with reading() as conn:
        return [_event(row) for row in await rows.all_after(conn, position, most)]


async def missed(principal: Principal, wanted: Wanted, after: int, through: int, most: int) -> list[Event]:
    """Events with after < position <= through that the principal may have and wants, in order, at most `most`."""
    async with reading() as conn:
        found = await rows.missed(
            conn,
            sight_of(principal),
            after,
            through,
            most,
            challenges=None if wanted.challenges is None else list(wanted.challenges),
            names=None if wanted.names is None else list(wanted.names),
            client=wanted.client,
        )
    return [_event(row) for row in found]
