"""Bars as quotes: four of each, on the path that a bar most likely took."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from heapq import heappop, heappush
from typing import NamedTuple

from cli.quotefile.rows import BadRow, FileQuote, QuoteRow

PRICES = ("open", "high", "low", "close")
ASKS = ("ask_open", "ask_high", "ask_low", "ask_close")
MILLISECOND = timedelta(milliseconds=1)
BEFORE_END = MILLISECOND  # the close: the next bar begins at the end
OVERLAPPING_MAX = 100_000  # quotes of bars that have begun and not ended: what is kept of a file at once
ORDER = (
    "each bar becomes four quotes: its open at its start, then low and high (a falling bar: high and low) after one "
    "and two thirds of it, its close a millisecond before its end"
)


class Bar(NamedTuple):
    """One bar; `sides` are bid and ask as text at its open, high, low and close."""

    line: int
    symbol: str
    start: datetime
    end: datetime  # when its close was quoted
    sides: tuple[tuple[str, str], ...]


def is_twisted(line: int, prices: Sequence[str]) -> bool:
    """Return whether a bar's high or low lies within its other prices. Raises BadRow if a price is not finite."""
    first, high, low, last = (Decimal(price) for price in prices)
    if not all(price.is_finite() for price in (first, high, low, last)):
        raise BadRow(line, f"a bar has a price that is not finite: {', '.join(prices)}")
    return high < max(first, last) or low > min(first, last)


def quotes_of(bar: Bar) -> list[FileQuote]:
    """Return the four quotes of a bar in the order of time."""
    first, high, low, last = bar.sides
    rises = Decimal(last[0]) >= Decimal(first[0])
    third = (bar.end + BEFORE_END - bar.start) / 3 // MILLISECOND * MILLISECOND
    moments = (bar.start, bar.start + third, bar.start + 2 * third, bar.end)
    path = (first, low, high, last) if rises else (first, high, low, last)
    return [
        FileQuote(bar.line, QuoteRow(moment, bar.symbol, bid, ask))
        for moment, (bid, ask) in zip(moments, path, strict=True)
    ]


def in_order(bars: Iterator[Bar]) -> Iterator[FileQuote]:
    """The quotes of all bars by time, those of one time in the order of their lines; bars may overlap."""
    waiting: list[tuple[datetime, int, FileQuote]] = []
    count = 0
    for bar in bars:
        while waiting and waiting[0][0] < bar.start:
            yield heappop(waiting)[2]
        for one in quotes_of(bar):
            heappush(waiting, (one.quote.time, count, one))
            count += 1
        if len(waiting) > OVERLAPPING_MAX:
            raise BadRow(bar.line, f"more than {OVERLAPPING_MAX // 4:,} bars overlap")
    while waiting:
        yield heappop(waiting)[2]
