"""The fee and the profit of a deal, before it is booked."""

from decimal import Decimal
from typing import NamedTuple

from domain.money import multiply
from domain.positions import Position

BASIS_POINTS = Decimal(10_000)
BASIS_POINT = Decimal("0.0001")


class Deal(NamedTuple):
    """One simulated execution: price and quantity in the instrument, the rest in the account's currency."""

    quantity: Decimal
    price: Decimal
    rate: Decimal
    fee: Decimal
    realised: Decimal  # before the fee
    after: Position


def exact_fee(quantity: Decimal, price: Decimal, rate: Decimal, fee_bps: Decimal) -> Decimal:
    """Return the fee on a deal's notional in the account's currency, before it is rounded."""
    return multiply(multiply(multiply(multiply(quantity, price), rate), fee_bps), BASIS_POINT)


def deal(position: Position, *, adds: bool, quantity: Decimal, price: Decimal, rate: Decimal, fee_bps: Decimal) -> Deal:
    """Add to, or close part of, a holding at the price; the fee is never in the average.

    Booked is what takes the position's profit and fees from the sums before the deal to those after it.
    """
    after = execute(position, adds=adds, quantity=quantity, price=price, rate=rate, fee_bps=fee_bps)
    return Deal(quantity, price, rate, after.fees - position.fees, after.realised - position.realised, after)


def execute(
    position: Position, *, adds: bool, quantity: Decimal, price: Decimal, rate: Decimal, fee_bps: Decimal
) -> Position:
    """Return the holding after the deal, with its profit and its fees."""
    fee = exact_fee(quantity, price, rate, fee_bps)
    return position.add(quantity, price, fee) if adds else position.reduce(quantity, price, rate, fee)
