"""Amounts in columns: int64 in units of 1e-8, exact or refused."""

from dataclasses import dataclass, fields
from decimal import ROUND_FLOOR, Decimal
from typing import Self

import numpy as np
from numpy.typing import NDArray

from domain.money import EXACT, PLACES

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

UNIT = 100_000_000
HALF = UNIT // 2
UNITS_MAX = 2**60  # exclusive: an amount of about 11.5 billion; seven of them add up without wrapping
MOST = 2**63 - 1
LEAST = -(2**63)


def units(value: Decimal) -> int:
    """The amount in units. Raises ValueError where it has more than eight places or is too large."""
    scaled = EXACT.scaleb(value, PLACES)
    whole = int(scaled)
    if whole != scaled or abs(whole) >= UNITS_MAX:
        raise ValueError(f"{value} cannot be held in units of 1e-{PLACES}")
    return whole


def level(value: Decimal) -> int:
    """A threshold in whole units, rounded down and cut to what int64 holds."""
    whole = int(EXACT.scaleb(value, PLACES).to_integral_value(ROUND_FLOOR, EXACT))
    return max(LEAST, min(MOST, whole))


def amount(whole: int) -> Decimal:
    """The amount that so many units are."""
    return EXACT.scaleb(Decimal(whole), -PLACES)


def multiply(left: Ints, right: int) -> Ints:
    """left x right, both in units and not negative, rounded half-even to units.

    A float quotient is off by less than 2**10 here; the exact remainder, taken modulo 2**64, says by how much.
    Raises ValueError where a product is too large.
    """
    guess = np.floor(left * (right / UNIT))
    if guess.max(initial=0) >= UNITS_MAX:
        raise ValueError(f"a product with {right} units cannot be held")
    product: Ints = guess.astype(np.int64)
    rest: Ints = (_times(left, right) - _times(product, UNIT)).view(np.int64)
    carry = rest // UNIT
    product += carry
    rest -= carry * UNIT
    product += (rest > HALF) | ((rest == HALF) & (product % 2 == 1))
    return product


def _times(column: Ints, factor: int) -> NDArray[np.uint64]:
    """The product modulo 2**64."""
    unsigned: NDArray[np.uint64] = column.view(np.uint64)
    return unsigned * np.uint64(factor)


def factor_max(quantity: int, product_max: int) -> int:
    """The largest factor, in units, whose product with the quantity is sure not to exceed `product_max`."""
    return min(UNITS_MAX - 1, product_max * UNIT // quantity)


@dataclass(slots=True)
class Columns:
    """Columns of one length, declared as fields of Ints or Flags; a new place holds zeros."""

    @classmethod
    def empty(cls, length: int) -> Self:
        return cls(*(np.zeros(length, np.bool_ if f.type == Flags else np.int64) for f in fields(cls)))

    def grow(self, length: int) -> None:
        """Lengthen every column."""
        for f in fields(self):
            column = getattr(self, f.name)
            more = np.zeros(length - len(column), column.dtype)
            setattr(self, f.name, np.concatenate((column, more)))

    def set(self, place: int, **values: int) -> None:
        for name, value in values.items():
            getattr(self, name)[place] = value

    def move(self, source: int, target: int) -> None:
        """Copy one place over another."""
        for f in fields(self):
            column = getattr(self, f.name)
            column[target] = column[source]
