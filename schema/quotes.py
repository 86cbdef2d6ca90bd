"""Quotes: current, past and submitted ones."""

from datetime import datetime
from decimal import Decimal

import strawberry
from strawberry import field

from domain.quote_guard import QuoteFinding
from schema.engine.row_types import FromRow
from schema.engine.scalars import Long
from schema.payloads import Payload
from schema.quotelist import QuoteList
from services.views.lists import QUOTE_HISTORY, QUOTES


@strawberry.type(description="The newest accepted quote of an instrument.")
class Quote(FromRow, listing=QUOTES):
    symbol: str = field(description="Instrument symbol.")
    bid: Decimal = field(description="Bid price, at which a seller can trade.")
    ask: Decimal = field(description="Ask price, at which a buyer can trade.")
    source_time: datetime = field(description="Time that the source gave the quote.")
    batch: Long = field(description="Number of the batch in which the quote was accepted.")


@strawberry.type(description="An accepted quote of the past.")
class PastQuote(FromRow, listing=QUOTE_HISTORY):
    symbol: str = field(description="Instrument symbol.")
    bid: Decimal = field(description="Bid price.")
    ask: Decimal = field(description="Ask price.")
    source_time: datetime = field(description="Time that the source gave the quote.")
    batch: Long = field(description="Batch in which the quote was accepted; breaches and fills refer to it.")
    is_void: bool = field(description="True if the quote was declared void afterwards; see `quoteVoids`.")


@strawberry.input(
    description="Filter for the quotes of an instrument. A field that is left out does not restrict the list."
)
class QuoteHistoryFilter:
    source_from: datetime | None = field(default=None, description="Only quotes with this source time or a later one.")
    source_before: datetime | None = field(default=None, description="Only quotes with an earlier source time.")


@strawberry.input(description="Quotes to submit.")
class IngestQuotesInput:
    quotes: QuoteList = field(description="At most 5,000 quotes, in the order of their source.")


@strawberry.type(description="Dropped quotes of one symbol with the same reason.")
class DroppedQuote:
    symbol: str = field(description="Instrument symbol, or the submitted text if no instrument has it.")
    reason: str = field(
        description="Reason. UNKNOWN_SYMBOL; NOT_FINITE: price is infinite or not a number; NOT_POSITIVE: price is "
        "zero or negative; CROSSED: bid above ask; LATE: older than an accepted quote; FUTURE: source time ahead of "
        "the clock; OUT_OF_RANGE: price of 1e10 or more, or one at which an open position would be worth more than "
        "1e13; TOO_PRECISE: more decimal places than the desk keeps, beyond floating-point noise; MALFORMED: not "
        "an object of exactly `symbol`, `bid`, `ask` and `time`, each text or a number; INVALID_TIME: not RFC 3339 "
        "text with an offset, or a time that does not exist, such as a leap second."
    )
    count: Long = field(description="Number of dropped quotes.")


@strawberry.type(description="Suspect quotes of one symbol with the same finding.")
class SuspectQuotes:
    symbol: str = field(description="Instrument symbol.")
    finding: QuoteFinding = field(description="Reason why the quotes are suspect.")
    held: bool = field(
        description="True if the quotes are held back until a later quote decides; false if they were accepted, "
        "because the guard only warns."
    )
    count: Long = field(description="Number of suspect quotes.")


@strawberry.type(description="Result of submitting quotes.")
class IngestQuotesPayload(Payload):
    batches: list[Long] = field(default_factory=list, description="Numbers of the batches made from the quotes.")
    newest_batch: Long | None = field(default=None, description="Last of the batches; null if no quote was accepted.")
    accepted: int = field(default=0, description="Number of accepted quotes.")
    rounded: int = field(
        default=0,
        description="Number of accepted quotes that had floating-point noise (1.1370200000000001) and were rounded to "
        "the instrument's precision.",
    )
    dropped: list[DroppedQuote] = field(default_factory=list, description="Dropped quotes, by symbol and reason.")
    suspect: list[SuspectQuotes] = field(
        default_factory=list,
        description="Suspect quotes, by symbol and finding. Those held back are counted neither in `accepted` nor in "
        "`dropped`.",
    )
