"""The trader's share of a profit, and the house's."""

from decimal import Decimal

from domain.money import ZERO, floor_minor, multiply


def share(profit: Decimal, split: Decimal, minor_units: int) -> tuple[Decimal, Decimal]:
    """The trader's amount, cut to the currency's minor unit, and the rest; both 0 without a profit."""
    if profit <= 0:
        return ZERO, ZERO
    amount = floor_minor(multiply(profit, split), minor_units)
    return amount, profit - amount
