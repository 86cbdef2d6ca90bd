"""Conversion of one currency into another: at par, by the pair quoted last, or over a third currency.

The newest mid decides among direct pairs; of equal times the pair declared first. Only where no direct pair has a
quote, two pairs that share a third currency convert: the path whose older quote is the newest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from domain.frozen import cached
from domain.money import ONE, divide, multiply, round18
from domain.quotes import Market


class Rate(NamedTuple):
    """The worth of one unit of a currency in another, 18 places, and the quotes it comes from."""

    value: Decimal
    time: datetime | None = None  # source time of its oldest quote; None at par
    pairs: str = ""  # the instruments that convert, parted by a comma; none at par


AT_PAR = Rate(ONE)


def names_of(pairs: str) -> list[str]:
    """Return the instruments that convert, from a rate's text: a symbol may hold a space, but no comma."""
    return pairs.split(",") if pairs else []


class Pair(NamedTuple):
    """An instrument that converts, and whether its price is inverted to do so."""

    symbol: str
    inverted: bool


Path = tuple[Pair, Pair]
"""Two pairs: into a third currency and out of it."""

PairsByCurrencies = Mapping[tuple[str, str], tuple[Pair, ...]]
"""By (source, target), pairs in declared order."""


@dataclass(frozen=True)
class Conversion:
    """All pairs and paths that may convert one currency into another, in declared order; none at par."""

    direct: tuple[Pair, ...] = ()
    over_third: tuple[Path, ...] = ()
    at_par: bool = False

    def rate(self, market: Market) -> Rate | None:
        """Return the rate at the market, 1 at par, or None where neither a pair nor a path is quoted."""
        if self.at_par:
            return AT_PAR
        newest, inverted = None, False
        for symbol, inverts in self.direct:
            quote = market.get(symbol)
            if quote is not None and (newest is None or quote.source_time > newest.source_time):
                newest, inverted = quote, inverts
        if newest is None:
            return self._over_third(market) if self.over_third else None
        return Rate(newest.inverse if inverted else newest.mid, newest.source_time, newest.symbol)

    def _over_third(self, market: Market) -> Rate | None:
        quoted = [path for path in self.over_third if path[0].symbol in market and path[1].symbol in market]
        if not quoted:
            return None
        path = max(quoted, key=lambda path: _time(path, market))
        return Rate(_product(path, market), _time(path, market), ",".join([pair.symbol for pair in path]))

    def symbols(self, market: Market) -> frozenset[str]:
        """Return the instruments whose quotes may change the rate from this market on.

        A market never forgets a quote, so paths over a third currency are out once a direct pair has one.
        """
        return self._direct if any(symbol in market for symbol in self._direct) else self._every

    @cached
    def _direct(self) -> frozenset[str]:
        return frozenset(pair.symbol for pair in self.direct)

    @cached
    def _every(self) -> frozenset[str]:
        return self._direct.union(pair.symbol for path in self.over_third for pair in path)


def _time(path: Path, market: Market) -> datetime:
    """Return the older source time of the path's quotes."""
    first, second = path
    return min(market[first.symbol].source_time, market[second.symbol].source_time)


def _product(path: Path, market: Market) -> Decimal:
    """Return the product of the path's rates, rounded once."""
    above, below = ONE, ONE
    for pair in path:
        mid = market[pair.symbol].mid
        above, below = (above, multiply(below, mid)) if pair.inverted else (multiply(above, mid), below)
    return round18(divide(above, below))


def conversion(
    source: str, target: str, pairs: PairsByCurrencies, thirds: Iterable[str], places: Mapping[str, int]
) -> Conversion:
    """Return the conversion between two currencies, each named by its par; `places` is the order of instruments.

    Paths lead over `thirds` only: what is no currency, such as a share quoted in two of them, converts nothing.
    """
    if source == target:
        return Conversion(at_par=True)
    over_third = [
        (first, second)
        for third in set(thirds) - {source, target}
        for first in pairs.get((source, third), ())
        for second in pairs.get((third, target), ())
    ]
    over_third.sort(key=lambda path: (places[path[0].symbol], places[path[1].symbol]))
    return Conversion(pairs.get((source, target), ()), tuple(over_third))
