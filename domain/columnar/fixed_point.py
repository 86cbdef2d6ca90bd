"""Fixed-point amounts in int64 columns, in units of 1e-8. A result is exact, or a ValueError."""

from dataclasses import dataclass, fields
from decimal import ROUND_FLOOR, Decimal
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from domain.money import EXACT, PLACES

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

UNIT = 100_000_000
UNITS_OF_ONE = Decimal(UNIT)
HALF = UNIT // 2
UNITS_MAX = 2**60  # exclusive: an amount of about 11.5 billion; seven of them add up without wrapping
MOST = 2**63 - 1
LEAST = -(2**63)


def units(value: Decimal) -> int:
    """Return the amount in units. Raises ValueError if it has more than eight decimal places or is too large."""
    scaled = EXACT.scaleb(value, PLACES)
    whole = int(scaled)
    if whole != scaled or abs(whole) >= UNITS_MAX:
        raise ValueError(f"{value} does not fit into units of 1e-{PLACES}")
    return whole


def level(value: Decimal) -> int:
    """Return a threshold in whole units, rounded down and clamped to int64."""
    whole = int(EXACT.scaleb(value, PLACES).to_integral_value(ROUND_FLOOR, EXACT))
    return max(LEAST, min(MOST, whole))


def amount(whole: int) -> Decimal:
    """Return the amount of so many units."""
    return EXACT.scaleb(Decimal(whole), -PLACES)


def fraction(value: Decimal, fine: int) -> tuple[int, int]:
    """Return a factor as an exact (numerator, denominator): over UNIT if it has eight decimal places, else `fine`."""
    scaled = EXACT.multiply(value, UNITS_OF_ONE)
    whole = int(scaled)
    return (whole, UNIT) if whole == scaled else (int(EXACT.multiply(value, Decimal(fine))), fine)


def multiply(left: Ints, right: int, unit: int = UNIT) -> Ints:
    """Return left x right / unit, rounded half-even. Raises ValueError if a product is too large."""
    if np.abs(left * (right / unit)).max(initial=0) >= UNITS_MAX:
        raise ValueError(f"a product with {right} / {unit} does not fit into int64")
    return scale(left, right, unit)


def scale(left: Ints, right: Ints | int, unit: int) -> Ints:
    """Return left x right / unit, rounded half-even.

    A float quotient is off by less than 4 parts in 2**53; the exact remainder, taken modulo 2**64, says by how much.
    So answers stay below 2**60 where `unit` is at most 1e16, and below 2**53 where it is at most 1e18: the quotient's
    error times `unit` stays below 2**63.
    """
    share = right / unit if isinstance(right, int) else right * (1 / unit)
    product: Ints = np.floor(left * share).astype(np.int64)
    rest: Ints = (_wrapped(left) * _wrapped(right) - _wrapped(product) * _wrapped(unit)).view(np.int64)
    carry = rest // unit
    product += carry
    rest -= carry * unit
    product += (rest > unit // 2) | ((rest == unit // 2) & (product % 2 == 1))
    return product


def _wrapped(value: Ints | int) -> Any:
    """Return the number modulo 2**64."""
    return np.uint64(value % 2**64) if isinstance(value, int) else value.view(np.uint64)


def factor_max(quantity: int, product_max: int) -> int:
    """Return the largest factor, in units, whose product with the quantity does not exceed `product_max`."""
    return min(UNITS_MAX - 1, product_max * UNIT // quantity)


def factors_max(quantity: Ints, product_max: Ints) -> Ints:
    """Return `factor_max` of many, or slightly less: the float error is far below one part in 2**40."""
    largest = product_max.astype(np.float64) * UNIT / quantity * (1 - 2**-40)
    factors: Ints = np.minimum(largest, float(UNITS_MAX // 2)).astype(np.int64)
    return factors


@dataclass(slots=True)
class Columns:
    """Columns of one length, declared as fields of Ints or Flags. A new row is all zeros."""

    @classmethod
    def empty(cls, length: int) -> Self:
        return cls(*(np.zeros(length, np.bool_ if f.type == Flags else np.int64) for f in fields(cls)))

    @property
    def length(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def grow(self, length: int) -> None:
        """Lengthen every column."""
        for f in fields(self):
            column = getattr(self, f.name)
            more = np.zeros(length - len(column), column.dtype)
            setattr(self, f.name, np.concatenate((column, more)))

    def set(self, place: int | slice | Ints, **values: int | Ints | Flags) -> None:
        """Set figures of one row, or of many."""
        for name, value in values.items():
            getattr(self, name)[place] = value

    def move(self, source: int, target: int) -> None:
        """Copy one row over another."""
        for f in fields(self):
            column = getattr(self, f.name)
            column[target] = column[source]
