"""A holding by (account, symbol, side): average cost, never flipping; the cost basis is the truth."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from domain.money import EIGHTH, EXACT, ONE, ZERO, divide, multiply, quantize, round8, round18, round_price
from domain.values import at_once, replace


class Side(StrEnum):
    LONG = "LONG"
    SHORT = "SHORT"

    sign: Decimal  # +1 for a long, -1 for a short

    def __init__(self, name: str) -> None:
        self.sign = Decimal(1 if name == "LONG" else -1)


@at_once
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

    @property
    def average_entry(self) -> Decimal:
        """Computed when read, in the quote currency, to the places of the finest price."""
        return round_price(divide(self.cost_basis, self.quantity)) if self.quantity else ZERO

    def add(self, quantity: Decimal, price: Decimal) -> "Position":
        """The position after buying (or selling short) more at the price; the fee is not in the average."""
        cost = EXACT.add(self.cost_basis, multiply(quantity, price))
        return replace(self, quantity=self.quantity + quantity, cost_basis=round18(cost))

    def reduce(self, quantity: Decimal, price: Decimal) -> tuple["Position", Decimal]:
        """The position after closing part of it, and what that realised in the quote currency.

        The last reduction releases all of the cost, so no dust of it stays behind.
        """
        assert ZERO < quantity <= self.quantity, "a position never flips"
        whole = quantity == self.quantity
        released = self.cost_basis if whole else round18(divide(multiply(self.cost_basis, quantity), self.quantity))
        realised = round8(EXACT.subtract(multiply(quantity, price), released)) * self.side.sign
        after = replace(self, quantity=self.quantity - quantity, cost_basis=EXACT.subtract(self.cost_basis, released))
        return after, realised

    def unrealised(self, mark: Decimal, rate: Decimal) -> Decimal:
        """Open profit at the mark in the account's currency; `rate` converts the quote currency into it."""
        worth = quantize(multiply(self.quantity, mark), EIGHTH)
        in_quote = (worth - quantize(self.cost_basis, EIGHTH)) * self.side.sign
        return in_quote if rate == ONE else round8(multiply(in_quote, rate))

    def notional(self, mark: Decimal, rate: Decimal) -> Decimal:
        """Exposure at the mark, positive, in the account's currency."""
        return quantize(multiply(multiply(self.quantity, mark), rate), EIGHTH)
