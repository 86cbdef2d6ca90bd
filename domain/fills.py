"""What a deal costs and brings, before anything is booked."""

from decimal import Decimal
from typing import NamedTuple

from domain.money import ONE, ZERO, multiply, round8
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


def fee(quantity: Decimal, price: Decimal, rate: Decimal, fee_bps: Decimal) -> Decimal:
    """The fee on a deal's notional, in the account's currency, eight places."""
    return round8(multiply(multiply(multiply(multiply(quantity, price), rate), fee_bps), BASIS_POINT))


def deal(position: Position, *, adds: bool, quantity: Decimal, price: Decimal, rate: Decimal, fee_bps: Decimal) -> Deal:
    """Add to, or close part of, a holding at the price; the fee is never in the average."""
    after, realised = execute(position, adds=adds, quantity=quantity, price=price, rate=rate)
    return Deal(quantity, price, rate, fee(quantity, price, rate, fee_bps), realised, after)


def execute(
    position: Position, *, adds: bool, quantity: Decimal, price: Decimal, rate: Decimal
) -> tuple[Position, Decimal]:
    """The holding after it, and what it realised in the account's currency."""
    if adds:
        return position.add(quantity, price), ZERO
    after, in_quote = position.reduce(quantity, price)
    return after, in_quote if rate == ONE else round8(multiply(in_quote, rate))
