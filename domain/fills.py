"""What a deal costs and brings, before anything is booked."""

from dataclasses import dataclass
from decimal import Decimal

from domain.money import ONE, ZERO, divide, multiply, round8
from domain.positions import Position

BASIS_POINTS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Deal:
    """One simulated execution: price and quantity in the instrument, the rest in the account's currency."""

    quantity: Decimal
    price: Decimal
    rate: Decimal
    fee: Decimal
    realised: Decimal  # before the fee
    after: Position


def fee(quantity: Decimal, price: Decimal, rate: Decimal, fee_bps: Decimal) -> Decimal:
    """The fee on a deal's notional, in the account's currency, eight places."""
    return round8(divide(multiply(multiply(multiply(quantity, price), rate), fee_bps), BASIS_POINTS))


def deal(position: Position, *, adds: bool, quantity: Decimal, price: Decimal, rate: Decimal, fee_bps: Decimal) -> Deal:
    """Add to, or close part of, a holding at the price; the fee is never in the average."""
    cost = fee(quantity, price, rate, fee_bps)
    if adds:
        after, realised = position.add(quantity, price), ZERO
    else:
        after, in_quote = position.reduce(quantity, price)
        realised = in_quote if rate == ONE else round8(multiply(in_quote, rate))
    return Deal(quantity, price, rate, cost, realised, after)
