"""Instruments, and the conversion of currencies."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from domain.conversion import AT_PAR, Conversion, Pair, Rate, conversion
from domain.frozen import cached
from domain.money import ONE, PERCENT, ZERO, multiply
from domain.quotes import Market

_LETTERS = r"A-Za-z0-9._/#+&!@$^=:()\[\]%~\-"
SYMBOL = re.compile(rf"(?=.*[A-Za-z0-9])[{_LETTERS}](?:[{_LETTERS} ]{{0,30}}[{_LETTERS}])?")
SYMBOL_RULE = "must be 1 to 32 letters (A-Z, a-z), digits, inner spaces or . _ - / # + & ! @ $ ^ = : ( ) [ ] % ~"


class InstrumentKind(StrEnum):
    FOREX = "FOREX"
    METAL = "METAL"
    CRYPTO = "CRYPTO"
    INDEX = "INDEX"
    COMMODITY = "COMMODITY"
    STOCK = "STOCK"
    OTHER = "OTHER"


class InstrumentStatus(StrEnum):
    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"  # still quoted and used to convert, but nothing more is opened in it


class GuardMode(StrEnum):
    """The treatment of a suspect quote."""

    OFF = "OFF"  # nothing: no quote is looked at
    WARN = "WARN"  # it is accepted, counted and told
    HOLD = "HOLD"  # it is kept apart until another quote confirms it


@dataclass(frozen=True)
class Guard:
    """The limits beyond which a quote is suspect; 0 turns a limit off."""

    mode: GuardMode = GuardMode.OFF
    move_pct: Decimal = ZERO  # the largest move of the mid against the last good quote, of the lower of both
    move_seconds: int = 60  # within which a move is measured, and for which a suspect quote is held
    spread_pct: Decimal = ZERO  # the widest spread, of the mid
    frozen_seconds: int = 0  # for so long the price may stand still while quotes come

    @cached
    def window(self) -> timedelta:
        """For how long a move is measured against the last good quote."""
        return timedelta(seconds=self.move_seconds)

    @cached
    def move_share(self) -> Decimal:
        """Return the largest move as a share of the lower mid."""
        return multiply(self.move_pct, PERCENT)

    @cached
    def spread_share(self) -> Decimal:
        """Return the widest spread as a share of the mid."""
        return multiply(self.spread_pct, PERCENT)


@dataclass(frozen=True, slots=True)
class Instrument:
    """What can be traded. Quantities are in units of the underlying: currency, ounces, barrels, shares, index points.

    A position is worth quantity x price in the quote currency, whatever the contract size: that only converts lots
    into a quantity where an action gives its size in lots.
    """

    symbol: str  # as the firm writes it
    base_currency: str | None  # None: the underlying is no currency, so its price converts nothing
    quote_currency: str
    price_precision: int
    quantity_step: Decimal
    quantity_min: Decimal
    kind: InstrumentKind = InstrumentKind.FOREX
    contract_size: Decimal = ONE  # units of a lot
    aliases: tuple[str, ...] = ()  # other names of feeds, sorted
    status: InstrumentStatus = InstrumentStatus.ACTIVE
    notional_min: Decimal = ZERO  # the least worth of an order, in the quote currency; 0: none
    guard: Guard = Guard()


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

    @cached_property
    def names(self) -> dict[str, str]:
        """The symbol by each name of an instrument: the symbol itself and its aliases."""
        return {name: one.symbol for one in self.instruments.values() for name in (one.symbol, *one.aliases)}

    @cached_property
    def tradable(self) -> tuple[str, ...]:
        """The symbols in which positions may be opened."""
        return tuple(one.symbol for one in self.instruments.values() if one.status is InstrumentStatus.ACTIVE)

    def par(self, code: str) -> str:
        currency = self.currencies.get(code)
        return currency.par if currency else code

    @cached_property
    def pairs(self) -> dict[tuple[str, str], tuple[Pair, ...]]:
        """By the pars of two currencies: the instruments that convert, in declared order."""
        pairs: dict[tuple[str, str], tuple[Pair, ...]] = {}
        for instrument in self.instruments.values():
            if instrument.base_currency is None:
                continue
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
        known = self._conversions.get(key)
        if known is None:
            places = {symbol: place for place, symbol in enumerate(self.instruments)}
            pars = [currency.par for currency in self.currencies.values()]
            known = conversion(self.par(source), self.par(target), self.pairs, pars, places)
            self._conversions[key] = known
        return known

    def rate(self, source: str, target: str, market: Market) -> Rate | None:
        """Return the worth of one unit of `source` in `target`: 1 at par, None where no quote converts."""
        return AT_PAR if source == target else self.conversion(source, target).rate(market)
