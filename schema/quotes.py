"""Quotes, handed in and read."""

from datetime import datetime
from decimal import Decimal

import strawberry
from strawberry import field

from domain.quote_guard import Finding
from schema.engine.row_types import FromRow
from schema.engine.scalars import Long
from schema.payloads import Payload
from schema.quotelist import QuoteList
from services.views.lists import QUOTE_HISTORY, QUOTES


@strawberry.type(description="The newest accepted quote of a symbol.")
class Quote(FromRow, listing=QUOTES):
    symbol: str = field(description="The instrument.")
    bid: Decimal = field(description="The price at which the market buys.")
    ask: Decimal = field(description="The price at which the market sells.")
    source_time: datetime = field(description="When its source made it.")
    batch: Long = field(description="The batch it was accepted in.")


@strawberry.type(description="A quote as it was accepted.")
class PastQuote(FromRow, listing=QUOTE_HISTORY):
    symbol: str = field(description="The instrument.")
    bid: Decimal = field(description="The price at which the market bought.")
    ask: Decimal = field(description="The price at which the market sold.")
    source_time: datetime = field(description="When its source made it.")
    batch: Long = field(description="The batch it was accepted in, which verdicts and fills name.")
    is_void: bool = field(description="Whether it was declared wrong since: see `quoteVoids`.")


@strawberry.input(description="Which of a symbol's quotes; what is left out does not narrow.")
class QuoteHistoryFilter:
    source_from: datetime | None = field(default=None, description="Made by its source at this time or later.")
    source_before: datetime | None = field(default=None, description="Made before this time.")


@strawberry.input(description="Quotes to take in.")
class IngestQuotesInput:
    quotes: QuoteList = field(description="In the order of their source; at most 5,000.")


@strawberry.type(description="Quotes of one symbol that were not taken, for one reason.")
class DroppedQuote:
    symbol: str = field(description="The instrument, or the name that was handed in where it is none's.")
    reason: str = field(
        description="UNKNOWN_SYMBOL, NOT_FINITE (or no number), NOT_POSITIVE, CROSSED, LATE, FUTURE, OUT_OF_RANGE, "
        "TOO_PRECISE (more decimal places than the desk keeps, and no noise of floats), MALFORMED (not an object of "
        "`symbol`, `bid`, `ask` and `time` alone, each text or a number) or INVALID_TIME (no RFC 3339 text with an "
        "offset, or no instant: a leap second, a day that does not exist). OUT_OF_RANGE is a price of 1e10 or more, or "
        "one at which an open position would be worth more than 1e13."
    )
    count: Long = field(description="How many.")


@strawberry.type(description="Quotes of one symbol that its guard found suspect, for one reason.")
class SuspectQuotes:
    symbol: str = field(description="The instrument.")
    finding: Finding = field(description="Why.")
    held: bool = field(
        description="True: they were held back, and a later quote decides. False: they were accepted, as the guard "
        "only warns."
    )
    count: Long = field(description="How many.")


@strawberry.type(description="What was taken in.")
class IngestQuotesPayload(Payload):
    batches: list[Long] = field(default_factory=list, description="The numbers of the batches the quotes became.")
    newest_batch: Long | None = field(default=None, description="The last of them; null if there is none.")
    accepted: int = field(default=0, description="How many quotes were taken.")
    rounded: int = field(
        default=0,
        description="How many of them bore the noise of floats (1.1370200000000001) and were rounded to the "
        "instrument's precision.",
    )
    dropped: list[DroppedQuote] = field(default_factory=list, description="What was not taken, by symbol and reason.")
    suspect: list[SuspectQuotes] = field(
        default_factory=list,
        description="What the instruments' guards found suspect, by symbol and reason. What they hold back is neither "
        "in `accepted` nor in `dropped`.",
    )
