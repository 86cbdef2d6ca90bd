"""Open positions in columns, repriced one group at a time: a group shares quote, mark price, side and rate."""

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from domain.columnar.fixed_point import (
    UNIT,
    UNITS_MAX,
    Columns,
    Flags,
    Ints,
    factor_max,
    fraction,
    multiply,
    scale,
    units,
)
from domain.instruments import Catalogue
from domain.money import PRICE_PLACES, round8
from domain.positions import Position, Side
from domain.quotes import Market
from domain.terms import Slippage
from domain.valuation import mark_price, rate_of

CONVERTED_MAX = 2**53  # exclusive: up to here a product with a rate of 18 places is exact
CONVERTED_COUNT_MAX = UNITS_MAX // CONVERTED_MAX  # this many of them sum up without wrapping
FINE = 10**18  # units of a rate's 18 decimal places
FINE_PRICE = 10 ** (PRICE_PLACES + 1)  # a mid price has one decimal place more than the finest price

Slots = TypeVar("Slots", bound=Columns)
Key = TypeVar("Key")


class SlotTable(Generic[Slots, Key]):
    """Columns whose first slots are in use, each under its own key; removal moves the last slot into the gap."""

    def __init__(self, columns: Slots) -> None:
        self.columns = columns
        self._places: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def put(self, key: Key, **figures: int) -> None:
        place = self._places[key] = len(self._places)
        if place == self.columns.length:
            self.columns.grow(max(8, 2 * place))
        self.columns.set(place, **figures)

    def fill(self, keys: list[Key], **figures: Ints) -> None:
        """Add many new keys at once."""
        first, last = len(self._places), len(self._places) + len(keys)
        if last > self.columns.length:
            self.columns.grow(last + last // 4)
        self._places.update(zip(keys, range(first, last), strict=True))
        self.columns.set(slice(first, last), **figures)

    def drop(self, key: Key) -> None:
        """Remove a key; the last slot moves into its place."""
        place, last = self._places.pop(key), len(self._places)
        if place != last:
            self.columns.move(last, place)
            self._places[self._key(place)] = place

    def _key(self, place: int) -> Key:
        """Return the key of a slot."""
        raise NotImplementedError


@dataclass(slots=True)
class PositionColumns(Columns):
    row: Ints  # the account's row in the shard
    quantity: Ints
    cost: Ints
    profit: Ints  # in the account's currency, at the newest mark
    price_max: Ints  # up to this price the account's figures fit into int64


def position_figures(position: Position, count: int) -> dict[str, int]:
    """Return the fixed figures of one of an account's `count` positions. Raises ValueError if they do not fit.

    Each position has a share of the int64 range, so that the sum over the account does not wrap.
    """
    share = UNITS_MAX // count
    quantity, cost = units(position.quantity), units(round8(position.cost_basis))
    if cost > share or count > CONVERTED_COUNT_MAX:
        raise ValueError(f"a cost of {position.cost_basis} is too large next to {count - 1} other positions")
    return {"quantity": quantity, "cost": cost, "price_max": factor_max(quantity, share)}


class PositionGroup(SlotTable[PositionColumns, int]):
    """Positions of one symbol, side, slippage and account currency: one mark price and one rate value them all."""

    def __init__(self, symbol: str, side: Side, slippage: Slippage, currency: str, catalogue: Catalogue) -> None:
        super().__init__(PositionColumns.empty(0))
        self.symbol, self._side, self._slippage, self._sign = symbol, side, slippage, int(side.sign)
        self._currency, self._catalogue = currency, catalogue
        source = catalogue.instruments[symbol].quote_currency
        self._at_par = catalogue.par(source) == catalogue.par(currency)

    def _key(self, place: int) -> int:
        return int(self.columns.row[place])

    def is_priced(self, market: Market) -> bool:
        """Return whether the market has the price and the rate that a mark needs."""
        source = self._catalogue.instruments[self.symbol].quote_currency
        return self.symbol in market and self._catalogue.rate(source, self._currency, market) is not None

    def reprice(self, market: Market) -> tuple[Ints, Ints, Flags]:
        """Return the account rows, the change of each position's profit, and where a figure does not fit."""
        slots, count = self.columns, len(self)
        profit, beyond = self.profits(slots.quantity[:count], slots.cost[:count], slots.price_max[:count], market)
        return slots.row[:count], profit - slots.profit[:count], beyond

    def profits(self, quantity: Ints, cost: Ints, price_max: Ints, market: Market) -> tuple[Ints, Flags]:
        """Return the unrealised profit of positions at the market, and where a figure does not fit."""
        price, unit = fraction(mark_price(market[self.symbol], self._side, self._slippage), FINE_PRICE)
        beyond: Flags = price_max < -(-price // (unit // UNIT))
        if beyond.any():
            quantity = quantity * ~beyond
        profit = (multiply(quantity, price, unit) - cost) * self._sign
        if not self._at_par:
            profit, much = self._convert(profit, market)
            beyond |= much
        return profit, beyond

    def _convert(self, profit: Ints, market: Market) -> tuple[Ints, Flags]:
        """Return the profits in the accounts' currency, and where one is too large to be exact."""
        rate = rate_of(self.symbol, self._currency, market, self._catalogue).value
        right, unit = fraction(rate, FINE)
        beyond: Flags = np.abs(profit * (right / unit)) >= CONVERTED_MAX
        return scale(profit * ~beyond if beyond.any() else profit, right, unit), beyond

    def apply(self, changes: Ints, moved: Flags) -> None:
        """Apply the changes to the rows that were marked."""
        slots, count = self.columns, len(self)
        slots.profit[:count] += changes * moved[slots.row[:count]]
