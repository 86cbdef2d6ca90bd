"""What can be traded, and what one currency is worth in another."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from domain.conversion import AT_PAR, Conversion, Pair, Rate, conversion
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
    def pairs(self) -> dict[tuple[str, str], tuple[Pair, ...]]:
        """By the pars of two currencies: the instruments that convert, in declared order."""
        pairs: dict[tuple[str, str], tuple[Pair, ...]] = {}
        for instrument in self.instruments.values():
            base, quote = self.par(instrument.base_currency), self.par(instrument.quote_currency)
            for key, inverted in (((base, quote), False), ((quote, base), True)):
                pairs[key] = (*pairs.get(key, ()), Pair(instrument.symbol, inverted))
        return pairs

    @cached_property
    def _conversions(self) -> dict[tuple[str, str], Conversion]:
        return {}

    def conversion(self, source: str, target: str) -> Conversion:
        """Return what may convert `source` into `target`; a path leads over declared currencies alone."""
        key = source, target
        if key not in self._conversions:
            places = {symbol: place for place, symbol in enumerate(self.instruments)}
            pars = [currency.par for currency in self.currencies.values()]
            self._conversions[key] = conversion(self.par(source), self.par(target), self.pairs, pars, places)
        return self._conversions[key]

    def rate(self, source: str, target: str, market: Market) -> Rate | None:
        """Return the worth of one unit of `source` in `target`: 1 at par, None where no quote converts."""
        if source == target or self.par(source) == self.par(target):
            return AT_PAR
        return self.conversion(source, target).rate(market)
