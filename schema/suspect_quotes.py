"""Suspect quotes: quotes held back by an instrument's guard, and events about them."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Self

import strawberry
from strawberry import field

from domain.quote_guard import GuardOutcome, QuoteFinding
from schema.engine.computed_fields import computed
from schema.engine.enum_types import describe_enum
from schema.engine.ids import format_cursor
from schema.engine.scalars import Long
from services.quote_guard import StoredSuspect
from services.views.events import Event

describe_enum(
    QuoteFinding,
    "QuoteFinding",
    "Reason why a quote is suspect.",
    MOVE="The price is too far from the last accepted quote.",
    SPREAD="Bid and ask are too far apart.",
    FROZEN="The price has not changed for too long, although quotes arrived.",
)
describe_enum(
    GuardOutcome,
    "SuspectOutcome",
    "Outcome for a suspect quote.",
    WARNED="Accepted, because the guard only warns.",
    HELD="Held back until another quote decides.",
    CONFIRMED="Confirmed by another quote, which was accepted.",
    DROPPED="Dropped, because another quote contradicted it or none arrived in time.",
)


@strawberry.type(description="A suspect quote that is held back until another quote decides.")
class SuspectQuote:
    symbol: str = field(description="Instrument symbol.")
    bid: Decimal = field(description="Bid price.")
    ask: Decimal = field(description="Ask price.")
    source_time: datetime = field(description="Time that the source gave the quote.")
    source: str = field(description="Name of the token that submitted the quote.")
    finding: QuoteFinding = field(description="Reason why the quote is suspect.")
    held_at: datetime = field(description="Time at which the quote was submitted.")

    @classmethod
    def of(cls, stored: StoredSuspect) -> Self:
        return cls(**stored._asdict())


@strawberry.type(description="Bid and ask with their source time.")
class QuotedPrice:
    bid: Decimal = field(description="Bid price.")
    ask: Decimal = field(description="Ask price.")
    source_time: datetime = field(description="Time that the source gave the quote.")

    @classmethod
    def of(cls, facts: dict[str, str]) -> Self:
        at = datetime.fromisoformat(facts["source_time"])
        return cls(bid=Decimal(facts["bid"]), ask=Decimal(facts["ask"]), source_time=at)


@strawberry.type(description="An event about the desk's quotes.")
class FeedEvent:
    position: Long = field(description="Position among the desk's events; a later event has a higher position.")
    name: str = field(description="Name of the event: `prop.feed.suspect`.")
    market_time: datetime = field(description="Market time of the event.")
    symbol: str = field(description="Instrument symbol.")
    outcome: GuardOutcome = field(description="Outcome for the suspect quote.")
    finding: QuoteFinding = field(description="Reason why the quote was suspect.")
    count: int = field(description="Number of suspect quotes in one submission; `quote` is the last of them.")
    source: str = field(description="Name of the token that submitted the quote.")
    quote: QuotedPrice = field(description="The suspect quote.")
    epoch: strawberry.Private[int]
    last: QuotedPrice | None = field(description="The last quote accepted before it; null if there was none.")

    @computed("Opaque position in the stream. Send it as `after` to receive all later events.")
    def cursor(self) -> str:
        return format_cursor(str(self.position), self.epoch)

    @classmethod
    def of(cls, event: Event) -> Self:
        facts: dict[str, Any] = event.payload
        return cls(
            position=event.number,
            name=event.name,
            market_time=event.market_time,
            symbol=facts["symbol"],
            outcome=GuardOutcome(facts["outcome"]),
            finding=QuoteFinding(facts["finding"]),
            count=facts["count"],
            source=facts["source"],
            quote=QuotedPrice.of(facts["quote"]),
            epoch=event.epoch,
            last=facts["last"] and QuotedPrice.of(facts["last"]),
        )
