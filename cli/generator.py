"""Quotes made up from a seed: a random walk, the same for everybody who asks with the same seed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import NamedTuple


class GeneratedQuote(NamedTuple):
    """One made-up quote; the time has an offset."""

    symbol: str
    bid: Decimal
    ask: Decimal
    time: datetime


@dataclass(frozen=True, slots=True)
class Shape:
    """How a symbol is made up: where it starts, how far it steps at most, and its spread, in its own points."""

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
    """Endless rounds of quotes, one of every symbol (of SHAPES), `step` apart from `start` on.

    Far from where it began a price is drawn back, so that it neither dies nor leaves its order of magnitude.
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
