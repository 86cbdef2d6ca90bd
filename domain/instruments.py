"""What can be traded, and what one currency is worth in another."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from domain.money import EXACT, ONE, round18
from domain.quotes import Market


@dataclass(frozen=True, slots=True)
class Instrument:
    symbol: str
    base_currency: str
    quote_currency: str
    price_precision: int
    quantity_step: Decimal
    quantity_min: Decimal


@dataclass(frozen=True, slots=True)
class Currency:
    code: str
    minor_units: int
    par: str  # currencies with one par are worth the same


AT_PAR = (ONE, None)


@dataclass(frozen=True)
class Catalogue:
    """Every instrument and currency the desk knows."""

    instruments: Mapping[str, Instrument]
    currencies: Mapping[str, Currency]

    def par(self, code: str) -> str:
        currency = self.currencies.get(code)
        return currency.par if currency else code

    @cached_property
    def pairs(self) -> dict[tuple[str, str], tuple[tuple[str, bool], ...]]:
        """By the pars of two currencies: the instruments that convert, and whether their price is inverted."""
        found: dict[tuple[str, str], tuple[tuple[str, bool], ...]] = {}
        for instrument in self.instruments.values():
            base, quote = self.par(instrument.base_currency), self.par(instrument.quote_currency)
            for key, inverted in (((base, quote), False), ((quote, base), True)):
                found[key] = (*found.get(key, ()), (instrument.symbol, inverted))
        return found

    def pairs_of(self, source: str, target: str) -> tuple[tuple[str, bool], ...]:
        """The instruments whose price may convert, and whether it is inverted; none at par or where there is none.

        The first that has a quote does.
        """
        source, target = self.par(source), self.par(target)
        return () if source == target else self.pairs.get((source, target), ())

    def rate(self, source: str, target: str, market: Market) -> tuple[Decimal, datetime | None] | None:
        """What one unit of `source` is worth in `target`, 18 places, and the time of the quote it came from.

        At par the rate is 1 and needs no quote. None where no pair, or no quote of any, is known.
        """
        if source == target or self.par(source) == self.par(target):
            return AT_PAR
        for symbol, inverted in self.pairs_of(source, target):
            if quote := market.get(symbol):
                return (round18(EXACT.divide(ONE, quote.mid)) if inverted else quote.mid), quote.source_time
        return None
