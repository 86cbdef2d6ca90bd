"""Simulated quotes: a random walk that is reproducible from its seed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import NamedTuple


class GeneratedQuote(NamedTuple):
    """One simulated quote; its time is timezone-aware."""

    symbol: str
    bid: Decimal
    ask: Decimal
    time: datetime


@dataclass(frozen=True, slots=True)
class Shape:
    """Parameters of a symbol's random walk: first price, largest step and spread, in points of the symbol."""

    price: Decimal
    point: Decimal
    step_points: int
    spread_points: int


SHAPES: Mapping[str, Shape] = {
    "EURUSD": Shape(Decimal("1.10000"), Decimal("0.00001"), 6, 8),
    "NZDUSD": Shape(Decimal("0.60000"), Decimal("0.00001"), 5, 12),
    "XAUUSD": Shape(Decimal("2400.00"), Decimal("0.01"), 40, 30),
    "BTCUSD": Shape(Decimal("65000.00"), Decimal("0.01"), 1500, 800),
}


def walk(seed: int, symbols: Sequence[str], start: datetime, step: timedelta) -> Iterator[list[GeneratedQuote]]:
    """Yield rounds of quotes without end, one quote per symbol of SHAPES, `step` apart, beginning at `start`.

    A price far from its start is pulled back, so that it stays positive and keeps its order of magnitude.
    """
    assert start.tzinfo is not None, "an instant has an offset"
    chance = Random(seed)
    away = dict.fromkeys(symbols, 0)  # points from the first price
    moment = start
    while True:
        for symbol in symbols:
            most = SHAPES[symbol].step_points
            away[symbol] += chance.randint(-most, most) - int(away[symbol] / 2000)
        yield [_quote(symbol, SHAPES[symbol], away[symbol], moment) for symbol in symbols]
        moment += step


def _quote(symbol: str, shape: Shape, away: int, moment: datetime) -> GeneratedQuote:
    bid = shape.price + shape.point * away
    return GeneratedQuote(symbol, bid, bid + shape.point * shape.spread_points, moment)
