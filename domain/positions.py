"""A holding by (account, symbol, side): average cost, never flipping; the cost basis is the truth.

Profit and fees are booked as differences of cumulative amounts. A position carries what rounding left over, so every
way to slice a fill books the same sum, and no sum is ever further than one unit of 1e-8 from the exact amount.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from domain.frozen import fast_init, replace
from domain.money import (
    AMOUNT_UNIT,
    EXACT,
    ONE,
    ZERO,
    ceil8,
    divide,
    multiply,
    quantize,
    round8,
    round18,
    round_price,
)

_add, _subtract = EXACT.add, EXACT.subtract


class Side(StrEnum):
    LONG = "LONG"
    SHORT = "SHORT"

    sign: Decimal  # +1 for a long, -1 for a short

    def __init__(self, name: str) -> None:
        self.sign = Decimal(1 if name == "LONG" else -1)


@fast_init
@dataclass(frozen=True)
class Position:
    """Quantity is positive on both sides; amounts of cost are in the instrument's quote currency."""

    seq: int  # of the ledger row that opened it
    symbol: str
    side: Side
    opened_at: datetime
    quantity: Decimal = ZERO
    cost_basis: Decimal = ZERO  # 18 places
    realised: Decimal = ZERO  # in the account's currency, before fees
    fees: Decimal = ZERO  # in the account's currency
    closed_at: datetime | None = None  # when the last of it was closed
    realised_rest: Decimal = ZERO  # the exact profit so far, less `realised`: at most half a unit either way
    fees_rest: Decimal = ZERO  # the exact fees so far, less `fees`: never above 0, for fees round up
    whole_quantity: Decimal | None = None  # before it was first reduced since the last addition; None: it was not
    whole_cost: Decimal | None = None  # what that quantity cost

    @property
    def average_entry(self) -> Decimal:
        """Computed when read, in the quote currency, to the places of the finest price."""
        return round_price(divide(self.cost_basis, self.quantity)) if self.quantity else ZERO

    def add(self, quantity: Decimal, price: Decimal, fee: Decimal = ZERO) -> "Position":
        """The position after buying (or selling short) more at the price; the exact fee is not in the average."""
        exact = self._exact_fees(fee)
        fees = ceil8(exact)
        return replace(
            self,
            quantity=self.quantity + quantity,
            cost_basis=round18(_add(self.cost_basis, multiply(quantity, price))),
            fees=fees,
            fees_rest=_subtract(exact, fees),
            whole_quantity=None,
            whole_cost=None,
        )

    def reduce(self, quantity: Decimal, price: Decimal, rate: Decimal = ONE, fee: Decimal = ZERO) -> "Position":
        """Return the position after closing part of it; `rate` converts the quote currency into the account's.

        What is left of the cost is computed from the whole, not from the reduction before, and what is left of profit
        and fees is carried: so none depends on how many reductions it took. The last one releases all of the cost.
        """
        assert ZERO < quantity <= self.quantity, "a position never flips"
        exact_fees = self._exact_fees(fee)
        fees = ceil8(exact_fees)
        left, whole, cost = self.quantity - quantity, self.whole_quantity, self.whole_cost
        if whole is None or cost is None:
            whole, cost = self.quantity, self.cost_basis
        kept = _subtract(cost, round18(divide(multiply(cost, whole - left), whole))) if left else ZERO
        worth, released = multiply(quantity, price), _subtract(self.cost_basis, kept)
        profit = _subtract(worth, released) if self.side is Side.LONG else _subtract(released, worth)
        exact = _add(_add(self.realised, self.realised_rest), multiply(profit, rate))
        realised = round8(exact)
        if not left:
            return replace(
                self, quantity=left, cost_basis=kept, realised=realised, fees=fees, realised_rest=ZERO, fees_rest=ZERO,
                whole_quantity=None, whole_cost=None,
            )  # fmt: skip
        return replace(
            self, quantity=left, cost_basis=kept, realised=realised, fees=fees,
            realised_rest=_subtract(exact, realised), fees_rest=_subtract(exact_fees, fees), whole_quantity=whole,
            whole_cost=cost,
        )  # fmt: skip

    def _exact_fees(self, fee: Decimal) -> Decimal:
        """Return the fees so far and one more, before they are rounded up."""
        return _add(_add(self.fees, self.fees_rest), fee)

    def unrealised(self, mark: Decimal, rate: Decimal) -> Decimal:
        """Open profit at the mark in the account's currency; `rate` converts the quote currency into it."""
        worth = quantize(multiply(self.quantity, mark), AMOUNT_UNIT)
        in_quote = (worth - quantize(self.cost_basis, AMOUNT_UNIT)) * self.side.sign
        return in_quote if rate == ONE else round8(multiply(in_quote, rate))

    def notional(self, mark: Decimal, rate: Decimal) -> Decimal:
        """Exposure at the mark, positive, in the account's currency."""
        return quantize(multiply(multiply(self.quantity, mark), rate), AMOUNT_UNIT)
