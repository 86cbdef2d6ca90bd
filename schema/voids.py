"""Void quotes: declared wrong after they were accepted."""

from datetime import datetime

import strawberry
from strawberry import ID, field

from schema.engine.row_types import FromRow
from schema.engine.scalars import Long
from schema.payloads import Payload
from services.views.lists import QUOTE_VOIDS


@strawberry.type(
    description="Quotes of a symbol that were declared wrong. They stay on the tape, and what was marked, filled and "
    "judged by them stays; a verdict that rests on them can be set aside with `reinstateChallenge`."
)
class QuoteVoid(FromRow, listing=QUOTE_VOIDS):
    id: ID = field(description="Its number.")
    symbol: str = field(description="The instrument.")
    source_from: datetime = field(description="The first source time that is void.")
    source_before: datetime = field(description="The first source time after it that is not void.")
    first_batch: Long = field(description="The batch of the first void quote.")
    last_batch: Long = field(description="The batch of the last void quote.")
    quotes: int = field(description="How many quotes are void.")
    reason: str = field(description="Why they are void.")
    recorded_at: datetime = field(description="When they were declared void.")


@strawberry.input(description="Quotes to declare void: those of one symbol with source times in a span.")
class VoidQuotesInput:
    symbol: str = field(description="The instrument.")
    source_from: datetime = field(description="The first source time that is void.")
    source_before: datetime = field(description="The first source time that is not; it must not lie in the future.")
    reason: str = field(description="Why; kept in the audit and shown with the void.")


@strawberry.type(
    description="The void quotes; `challengesHit` of the same span lists the challenges that failed by it."
)
class VoidQuotesPayload(Payload):
    quote_void: QuoteVoid | None = field(
        default=None, description="The void; the existing one if the span was void already, null if it is not."
    )
