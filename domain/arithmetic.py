"""Arithmetic on amounts that are `Decimal`, or int64 columns in units of 1e-8: one formula serves both."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

import numpy as np

from domain import money
from domain.columnar.fixed_point import UNIT, Ints, scale, units

Amount = TypeVar("Amount", Decimal, Ints)
PERCENT_UNIT = 100 * UNIT


@dataclass(frozen=True, slots=True)
class Arithmetic(Generic[Amount]):
    """The operations that differ between the two; + and - do not. A percentage is rounded half-even to 1e-8."""

    amount: Callable[[Decimal], Amount]
    percent: Callable[[Amount, Decimal], Amount]
    higher: Callable[[Amount, Amount], Amount]
    lower: Callable[[Amount, Amount], Amount]


DECIMAL: Arithmetic[Decimal] = Arithmetic(lambda amount: amount, money.percent, max, min)
COLUMN: Arithmetic[Ints] = Arithmetic(
    amount=lambda amount: np.array(units(amount), np.int64),
    percent=lambda column, pct: scale(column, units(pct), PERCENT_UNIT),
    higher=np.maximum,
    lower=np.minimum,
)
