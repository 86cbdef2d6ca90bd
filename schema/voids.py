"""Void quotes: quotes declared wrong after they were accepted."""

from datetime import datetime

import strawberry
from strawberry import ID, field

from schema.engine.row_types import FromRow
from schema.engine.scalars import Long
from schema.payloads import Payload
from services.views.lists import QUOTE_VOIDS


@strawberry.type(
    description="Quotes of an instrument that were declared void. They stay in the quote history, and marks, fills "
    "and verdicts made from them stay as well. `reinstateChallenge` can set such a verdict aside."
)
class QuoteVoid(FromRow, listing=QUOTE_VOIDS):
    id: ID = field(description="Id of the declaration.")
    symbol: str = field(description="Instrument symbol.")
    source_from: datetime = field(description="Start of the span of source times, inclusive.")
    source_before: datetime = field(description="End of the span of source times, exclusive.")
    first_batch: Long = field(description="Batch of the first void quote.")
    last_batch: Long = field(description="Batch of the last void quote.")
    quotes: int = field(description="Number of void quotes.")
    reason: str = field(description="Reason for the declaration.")
    recorded_at: datetime = field(description="Time of the declaration.")


@strawberry.input(description="Quotes to declare void: those of one instrument with source times in a span.")
class VoidQuotesInput:
    symbol: str = field(description="Instrument symbol.")
    source_from: datetime = field(description="Start of the span of source times, inclusive.")
    source_before: datetime = field(description="End of the span of source times, exclusive; not in the future.")
    reason: str = field(description="Reason, stored in the audit and shown with the void quotes.")


@strawberry.type(
    description="Result of declaring quotes void. `challengesHit` with the same span lists the challenges that failed "
    "by them."
)
class VoidQuotesPayload(Payload):
    quote_void: QuoteVoid | None = field(
        default=None,
        description="Declaration, or the existing one if these quotes were void already; null if refused.",
    )
