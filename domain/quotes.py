"""Quotes, the batches they are accepted in, and the market a fold carries along."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from domain.frozen import cached
from domain.ledger import Facts
from domain.money import EXACT, HALF, ONE, PERCENT, PLACES, denoise, plain, quantize, round18


@dataclass(frozen=True)
class Quote:
    symbol: str
    bid: Decimal
    ask: Decimal
    source_time: datetime

    @cached
    def mid(self) -> Decimal:
        """Exact, so with a place more than bid and ask: what is worth something is rounded, never the price."""
        return EXACT.multiply(EXACT.add(self.bid, self.ask), HALF)

    @cached
    def inverse(self) -> Decimal:
        """The value of one unit of the quote currency in the other currency, with 18 decimal places."""
        return round18(EXACT.divide(ONE, self.mid))

    @cached
    def facts(self) -> Facts:
        """Return what a ledger row or an answer says of it; never changed in place."""
        return {"bid": plain(self.bid), "ask": plain(self.ask), "source_time": self.source_time.isoformat()}


@dataclass(frozen=True, slots=True)
class Batch:
    """Quotes accepted together, at most one a symbol. An empty batch only moves the market's clock."""

    number: int
    market_time: datetime
    quotes: tuple[Quote, ...] = ()


Market = Mapping[str, Quote]
"""The newest accepted quote of every symbol, as of one batch."""


class DeskMode(StrEnum):
    """The source of the market time: the clock, or the quotes."""

    SYSTEM = "SYSTEM"
    REPLAY = "REPLAY"


class Dropped(StrEnum):
    """The reason why a quote was dropped."""

    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"
    NOT_FINITE = "NOT_FINITE"
    NOT_POSITIVE = "NOT_POSITIVE"
    CROSSED = "CROSSED"
    LATE = "LATE"
    FUTURE = "FUTURE"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    TOO_PRECISE = "TOO_PRECISE"
    MALFORMED = "MALFORMED"  # no symbol, bid, ask and time, each of them text or a number
    INVALID_TIME = "INVALID_TIME"  # no instant: without an offset, a leap second, no day of the calendar
    SUSPECT = "SUSPECT"  # held by the instrument's guard, and no other quote said the same


PRICE_MAX = Decimal(10) ** 10  # exclusive: what the columnar book holds with room to multiply
NOISE = Decimal("0.00001")  # of a decimal place: further off, a price is a finer one, not a float's
FLOAT_NOISE = Decimal("1e-15")  # of a price: a float's last binary place and a few sums of them


class Listing(NamedTuple):
    """An instrument as screening sees it: the decimal places of its prices and its newest quote's source time."""

    price_precision: int
    last: datetime | None = None

    @property
    def step(self) -> Decimal:
        """The last decimal place kept of its quotes, at least the eighth: feeds quote finer than they display."""
        return Decimal(1).scaleb(-max(PLACES, self.price_precision))


class Screening(NamedTuple):
    """Screened quotes: accepted in their order, held back, and dropped with the reason.

    `rounded` counts the taken ones whose float noise was rounded away, by symbol.
    """

    taken: list[Quote]
    held: list[Quote]
    dropped: list[tuple[Quote, Dropped]]
    rounded: Counter[str]


def fault(quote: Quote, step: Decimal, last: datetime | None, latest: datetime | None) -> Dropped | None:
    """Return why the quote cannot be taken, or None.

    `step` is the last decimal place kept of the symbol's quotes, `last` the source time of its newest one, `latest` the
    newest source time allowed.
    """
    if not (quote.bid.is_finite() and quote.ask.is_finite()):
        return Dropped.NOT_FINITE
    if quote.bid <= 0 or quote.ask <= 0:
        return Dropped.NOT_POSITIVE
    if quote.bid > quote.ask:
        return Dropped.CROSSED
    if quote.ask >= PRICE_MAX:
        return Dropped.OUT_OF_RANGE
    if quantize(quote.bid, step) != quote.bid or quantize(quote.ask, step) != quote.ask:
        return Dropped.TOO_PRECISE
    if latest is not None and quote.source_time > latest:
        return Dropped.FUTURE
    if last is not None and quote.source_time < last:
        return Dropped.LATE
    return None


def without_noise(quote: Quote, listing: Listing) -> Quote:
    """Return the quote with bid and ask rounded where they are off by no more than the noise of floats.

    They are rounded to the instrument's precision or, where the feed quotes finer, to the last place that is kept:
    1.1370200000000001 is 1.13702 for an instrument of five places, 1.1370250000000002 is 1.137025, and 1.137020001
    stays as it is.
    """
    return replace(quote, bid=_without_noise(quote.bid, listing), ask=_without_noise(quote.ask, listing))


def _without_noise(price: Decimal, listing: Listing) -> Decimal:
    for step in (Decimal(1).scaleb(-listing.price_precision), listing.step):
        if quantize(price, listing.step) == price:
            break
        price = denoise(price, step, min(max(step * NOISE, price * FLOAT_NOISE), step * PERCENT))
    return price


def screen(
    quotes: Iterable[Quote],
    listings: Mapping[str, Listing],
    latest: datetime | None,
    judge: Callable[[Quote], Dropped | None] = lambda quote: None,
) -> Screening:
    """Part the quotes into those taken, held back and dropped.

    `listings` holds every listed symbol, `latest` is the newest source time allowed. `judge` is asked of each usable
    quote in turn why it is not taken; one that is SUSPECT is held back.
    """
    times = {symbol: listing.last for symbol, listing in listings.items()}
    steps = {symbol: listing.step for symbol, listing in listings.items()}
    screening = Screening([], [], [], Counter())
    for offered in quotes:
        symbol, quote = offered.symbol, offered
        if symbol not in times:
            screening.dropped.append((quote, Dropped.UNKNOWN_SYMBOL))
            continue
        reason = fault(quote, steps[symbol], times[symbol], latest)
        if reason is Dropped.TOO_PRECISE:
            quote = without_noise(offered, listings[symbol])
            reason = fault(quote, steps[symbol], times[symbol], latest)
        if reason:
            screening.dropped.append((offered, reason))
            continue
        if judged := judge(quote):
            if judged is Dropped.SUSPECT:
                screening.held.append(quote)
            else:
                screening.dropped.append((offered, judged))
            continue
        times[symbol] = quote.source_time
        screening.taken.append(quote)
        if quote is not offered:
            screening.rounded[symbol] += 1
    return screening


def divide_into_batches(quotes: Iterable[Quote], *, by_time: bool) -> list[tuple[Quote, ...]]:
    """Divide accepted quotes, in order, into batches with one quote per symbol, so that no quote hides another.

    `by_time` (replay) also begins a batch at every new source time, so that the cut does not depend on how
    the quotes were handed in.
    """
    batches: list[list[Quote]] = []
    symbols: set[str] = set()
    for quote in quotes:
        new_time = by_time and batches and batches[-1][-1].source_time != quote.source_time
        if not batches or quote.symbol in symbols or new_time:
            batches.append([])
            symbols = set()
        batches[-1].append(quote)
        symbols.add(quote.symbol)
    return [tuple(batch) for batch in batches]
