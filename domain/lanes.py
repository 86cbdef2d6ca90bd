"""Holdings in columns, repriced a lane at a time: one quote, one mark, one sign for all of them."""

from dataclasses import dataclass

from domain.columns import UNITS_MAX, Columns, Flags, Ints, factor_max, multiply, units
from domain.money import round8
from domain.positions import Position, Side
from domain.quotes import Quote
from domain.terms import Slippage
from domain.valuation import mark_price


@dataclass(slots=True)
class Holdings(Columns):
    row: Ints  # of the account in the book
    quantity: Ints
    cost: Ints
    profit: Ints  # at the newest mark
    price_max: Ints  # up to this price the account's figures are sure to be held


def holding_figures(position: Position, count: int) -> dict[str, int]:
    """The fixed figures of one of an account's `count` holdings. Raises ValueError where they cannot be held.

    Each holding has its share of the range, so that all of an account's add up without wrapping.
    """
    share = UNITS_MAX // count
    quantity, cost = units(position.quantity), units(round8(position.cost_basis))
    if cost > share:
        raise ValueError(f"a cost of {position.cost_basis} is too large beside {count - 1} other holdings")
    return {"quantity": quantity, "cost": cost, "price_max": factor_max(quantity, share)}


class Lane:
    """The holdings of one symbol and side, priced by one model; at most one of each account."""

    def __init__(self, side: Side, slippage: Slippage) -> None:
        self._side, self._slippage, self._sign = side, slippage, int(side.sign)
        self._holdings = Holdings.empty(8)
        self._places: dict[int, int] = {}

    def put(self, row: int, **figures: int) -> None:
        place = self._places[row] = len(self._places)
        if place == len(self._holdings.row):
            self._holdings.grow(2 * place)
        self._holdings.set(place, row=row, **figures)

    def drop(self, row: int) -> None:
        """Take the holding out; the last one moves into its place."""
        place, last = self._places.pop(row), len(self._places)
        if place != last:
            self._holdings.move(last, place)
            self._places[int(self._holdings.row[place])] = place

    def reprice(self, quote: Quote) -> tuple[Ints, Ints, Flags]:
        """The rows, what each holding's profit changes by, and where the price is beyond what can be held."""
        held, count = self._holdings, len(self._places)
        price = units(mark_price(quote, self._side, self._slippage))
        beyond: Flags = held.price_max[:count] < price
        quantity = held.quantity[:count]
        if beyond.any():
            quantity = quantity * ~beyond
        profit = (multiply(quantity, price) - held.cost[:count]) * self._sign
        return held.row[:count], profit - held.profit[:count], beyond

    def settle(self, changes: Ints, moved: Flags) -> None:
        """Keep the changes of those rows that were moved."""
        held, count = self._holdings, len(self._places)
        held.profit[:count] += changes * moved[held.row[:count]]
