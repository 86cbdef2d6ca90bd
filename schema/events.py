"""Events of challenges, as listed and as sent to subscribers."""

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


@strawberry.type(description="Something that happened to a challenge.")
class ChallengeEvent(FromRow, listing=EVENTS):
    position: Long = field(description="Its place among its brand's events: later ones have higher places.")
    number: Long = field(
        description="Its number within the challenge: 1, 2, 3 and so on. A TRADER does not get those about purchases "
        "and payouts, so its numbers have gaps."
    )
    name: str = field(description="What happened, such as prop.challenge.phase_changed.")
    market_time: datetime = field(description="When, by the market's clock.")
    challenge_id: ID = field(description="The challenge.")
    epoch: strawberry.Private[int]
    payload: JSON = field(description="Its facts, frozen when it was written; other objects by their id.")

    @computed("Its place in the stream, opaque; sent as `after` it gives everything later.")
    def cursor(self) -> str:
        return format_cursor(f"{self.challenge_id}-{self.number}", self.epoch)

    @computed("The challenge as it is now; null once it is deleted.")
    async def challenge(self, info: Info) -> Annotated["Challenge", strawberry.lazy("schema.challenges")] | None:
        return await read_one(info, CHALLENGES, int(self.challenge_id))


@strawberry.input(description="Which events; what is left out does not narrow.")
class ChallengeEventFilter:
    challenge_ids: list[ID] | None = field(default=None, description="Of one of these challenges.")
    names: list[str] | None = field(default=None, description="With one of these names.")
    client: str | None = field(default=None, description="Of this client's challenges.")


def event_of(event: Any) -> ChallengeEvent:
    """The event of the stream."""
    return ChallengeEvent(
        position=event.brand_position,
        number=event.number,
        name=event.name,
        market_time=event.market_time,
        challenge_id=ID(str(event.challenge_id)),
        payload=event.payload,
        epoch=event.epoch,
    )
