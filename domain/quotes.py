"""Quotes, the batches they are accepted in, and the market a fold carries along."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from domain.ledger import Facts
from domain.money import EXACT, plain, round8
from domain.values import lazy


@dataclass(frozen=True)
class Quote:
    symbol: str
    bid: Decimal
    ask: Decimal
    source_time: datetime

    @lazy
    def mid(self) -> Decimal:
        return round8(EXACT.divide(EXACT.add(self.bid, self.ask), Decimal(2)))

    @lazy
    def facts(self) -> Facts:
        """What a ledger row or an answer says of it; never changed in place."""
        return {"bid": plain(self.bid), "ask": plain(self.ask), "source_time": self.source_time.isoformat()}


@dataclass(frozen=True, slots=True)
class Batch:
    """Quotes accepted together, at most one a symbol. An empty batch only moves the market's clock."""

    number: int
    market_time: datetime
    quotes: tuple[Quote, ...] = ()


Market = Mapping[str, Quote]
"""The newest accepted quote of every symbol, as of one batch."""


class Dropped(StrEnum):
    """Why a quote was not taken."""

    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"
    NOT_FINITE = "NOT_FINITE"
    NOT_POSITIVE = "NOT_POSITIVE"
    CROSSED = "CROSSED"
    LATE = "LATE"
    FUTURE = "FUTURE"
    OUT_OF_RANGE = "OUT_OF_RANGE"


PRICE_MAX = Decimal(10) ** 10  # exclusive: what the columnar book holds with room to multiply


def fault(quote: Quote, last: datetime | None, latest: datetime | None) -> Dropped | None:
    """Why the quote cannot be taken, or None.

    `last` is the source time of the symbol's newest quote, `latest` the newest source time allowed.
    """
    if not (quote.bid.is_finite() and quote.ask.is_finite()):
        return Dropped.NOT_FINITE
    if quote.bid <= 0 or quote.ask <= 0:
        return Dropped.NOT_POSITIVE
    if quote.bid > quote.ask:
        return Dropped.CROSSED
    if quote.ask >= PRICE_MAX or round8(quote.bid) != quote.bid or round8(quote.ask) != quote.ask:
        return Dropped.OUT_OF_RANGE
    if latest is not None and quote.source_time > latest:
        return Dropped.FUTURE
    if last is not None and quote.source_time < last:
        return Dropped.LATE
    return None


def screen(
    quotes: Iterable[Quote], known: Mapping[str, datetime | None], latest: datetime | None
) -> tuple[list[Quote], list[tuple[Quote, Dropped]]]:
    """Part the quotes into those taken, in the order they came, and those dropped with their reason.

    `known` holds every listed symbol and the source time of its newest quote, if it has one.
    """
    times = dict(known)
    taken: list[Quote] = []
    dropped: list[tuple[Quote, Dropped]] = []
    for quote in quotes:
        if quote.symbol not in times:
            dropped.append((quote, Dropped.UNKNOWN_SYMBOL))
        elif reason := fault(quote, times[quote.symbol], latest):
            dropped.append((quote, reason))
        else:
            times[quote.symbol] = quote.source_time
            taken.append(quote)
    return taken, dropped


def divide_into_batches(quotes: Iterable[Quote], *, by_time: bool) -> list[tuple[Quote, ...]]:
    """Cut accepted quotes, in order, so that no batch holds two of one symbol: none can hide what another did.

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
