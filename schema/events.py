"""Events of challenges, in lists and subscriptions."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry import ID, field
from strawberry.scalars import JSON

from schema.engine.computed_fields import computed
from schema.engine.ids import format_cursor
from schema.engine.paging import read_one
from schema.engine.request_context import Info
from schema.engine.row_types import FromRow
from schema.engine.scalars import Long
from services.views.lists import CHALLENGES, EVENTS

if TYPE_CHECKING:
    from schema.challenges import Challenge


@strawberry.type(description="An event of a challenge.")
class ChallengeEvent(FromRow, listing=EVENTS):
    position: Long = field(description="Position among all events of the brand; a later event has a higher position.")
    number: Long = field(
        description="Number within the challenge, counted from 1. A TRADER does not receive events about purchases "
        "and payouts, so its numbers have gaps."
    )
    name: str = field(description="Name of the event, such as `prop.challenge.phase_changed`.")
    market_time: datetime = field(description="Market time of the event.")
    challenge_id: ID = field(description="Challenge id.")
    epoch: strawberry.Private[int]
    payload: JSON = field(description="Facts of the event when it was written. Other objects appear as ids.")

    @computed("Opaque position in the stream. Send it as `after` to receive all later events.")
    def cursor(self) -> str:
        return format_cursor(f"{self.challenge_id}-{self.number}", self.epoch)

    @computed("Challenge in its current state; null once it is deleted.")
    async def challenge(self, info: Info) -> Annotated["Challenge", strawberry.lazy("schema.challenges")] | None:
        return await read_one(info, CHALLENGES, int(self.challenge_id))


@strawberry.input(description="Filter for events. A field that is left out does not restrict the list.")
class ChallengeEventFilter:
    challenge_ids: list[ID] | None = field(default=None, description="Only events of these challenges.")
    names: list[str] | None = field(default=None, description="Only events with one of these names.")
    client: str | None = field(default=None, description="Only events of this client's challenges.")


def event_of(event: Any) -> ChallengeEvent:
    """Return the API's form of an event from the stream."""
    return ChallengeEvent(
        position=event.brand_position,
        number=event.number,
        name=event.name,
        market_time=event.market_time,
        challenge_id=ID(str(event.challenge_id)),
        payload=event.payload,
        epoch=event.epoch,
    )
