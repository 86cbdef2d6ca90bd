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


@dataclass(frozen=True)
class Catalogue:
    """Every instrument and currency the desk knows."""

    instruments: Mapping[str, Instrument]
    currencies: Mapping[str, Currency]

    def par(self, code: str) -> str:
        currency = self.currencies.get(code)
        return currency.par if currency else code

    @cached_property
    def pairs(self) -> dict[tuple[str, str], tuple[str, bool]]:
        """By the pars of two currencies: the first instrument that converts, and whether its price is inverted."""
        found: dict[tuple[str, str], tuple[str, bool]] = {}
        for instrument in self.instruments.values():
            base, quote = self.par(instrument.base_currency), self.par(instrument.quote_currency)
            found.setdefault((base, quote), (instrument.symbol, False))
            found.setdefault((quote, base), (instrument.symbol, True))
        return found

    def pair(self, source: str, target: str) -> tuple[str, bool] | None:
        """The instrument whose price converts, and whether it is inverted; None at par or where there is none."""
        source, target = self.par(source), self.par(target)
        return None if source == target else self.pairs.get((source, target))

    def rate(self, source: str, target: str, market: Market) -> tuple[Decimal, datetime | None] | None:
        """What one unit of `source` is worth in `target`, 18 places, and the time of the quote it came from.

        At par the rate is 1 and needs no quote. None where no pair, or no quote of it, is known.
        """
        if self.par(source) == self.par(target):
            return ONE, None
        found = self.pair(source, target)
        quote = market.get(found[0]) if found else None
        if found is None or quote is None:
            return None
        mid = quote.mid
        return (round18(EXACT.divide(ONE, mid)) if found[1] else mid), quote.source_time
