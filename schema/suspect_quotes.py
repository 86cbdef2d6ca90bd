"""Suspect quotes as they are told: what the guards of instruments found, held, confirmed and dropped."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Self

import strawberry
from strawberry import field

from domain.quote_guard import Finding, Outcome
from schema.engine.computed_fields import computed
from schema.engine.enum_types import describe_enum
from schema.engine.ids import format_cursor
from schema.engine.scalars import Long
from services.quote_guard import StoredSuspect
from services.views.events import Event

describe_enum(
    Finding,
    "QuoteFinding",
    "Why a quote is suspect.",
    MOVE="It is too far from the last accepted quote.",
    SPREAD="Bid and ask are too far apart.",
    FROZEN="Its price has stood still for too long while quotes came.",
)
describe_enum(
    Outcome,
    "SuspectOutcome",
    "What became of a suspect quote.",
    WARNED="It was accepted: the guard only warns.",
    HELD="It is held back until another quote decides.",
    CONFIRMED="Another quote said the same: that one was accepted.",
    DROPPED="Another quote said otherwise, or none came in time.",
)


@strawberry.type(description="A suspect quote that is held back until another decides.")
class SuspectQuote:
    symbol: str = field(description="The instrument.")
    bid: Decimal = field(description="The price at which the market would buy.")
    ask: Decimal = field(description="The price at which the market would sell.")
    source_time: datetime = field(description="When its source made it.")
    source: str = field(description="The name of the token that handed it in.")
    finding: Finding = field(description="Why it is suspect.")
    held_at: datetime = field(description="When it was handed in.")

    @classmethod
    def of(cls, stored: StoredSuspect) -> Self:
        return cls(**stored._asdict())


@strawberry.type(description="A price of a symbol, and when its source made it.")
class QuotedPrice:
    bid: Decimal = field(description="The price at which the market buys.")
    ask: Decimal = field(description="The price at which the market sells.")
    source_time: datetime = field(description="When its source made it.")

    @classmethod
    def of(cls, facts: dict[str, str]) -> Self:
        at = datetime.fromisoformat(facts["source_time"])
        return cls(bid=Decimal(facts["bid"]), ask=Decimal(facts["ask"]), source_time=at)


@strawberry.type(description="Something that happened to the desk's quotes.")
class FeedEvent:
    position: Long = field(description="Its place among the desk's events: later ones have higher places.")
    name: str = field(description="What happened: prop.feed.suspect.")
    market_time: datetime = field(description="When, by the market's clock.")
    symbol: str = field(description="The instrument.")
    outcome: Outcome = field(description="What became of the suspect quote.")
    finding: Finding = field(description="Why it was suspect.")
    count: int = field(description="How many such quotes one request had; the event shows the last of them.")
    source: str = field(description="The name of the token that handed it in.")
    quote: QuotedPrice = field(description="The quote.")
    epoch: strawberry.Private[int]
    last: QuotedPrice | None = field(description="The last accepted quote before it; null if there was none.")

    @computed("Its place in the stream, opaque; sent as `after` it gives everything later.")
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
            outcome=Outcome(facts["outcome"]),
            finding=Finding(facts["finding"]),
            count=facts["count"],
            source=facts["source"],
            quote=QuotedPrice.of(facts["quote"]),
            epoch=event.epoch,
            last=facts["last"] and QuotedPrice.of(facts["last"]),
        )
