"""Integer columns: products exact to the last digit, or refused."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.columnar.fixed_point import (
    LEAST,
    MOST,
    UNITS_MAX,
    Columns,
    Flags,
    Ints,
    amount,
    factor_max,
    level,
    multiply,
    units,
)
from domain.money import multiply as exact_product
from domain.money import round8

wholes = st.integers(0, UNITS_MAX - 1)


def product(left: int, right: int) -> int:
    return units(round8(exact_product(amount(left), amount(right))))


@given(st.lists(wholes, min_size=1, max_size=20), wholes)
@example([1, 3, 5], 50_000_000)  # halves: 0.5, 1.5 and 2.5 units, to the even side
@example([5_000_000_000_000], 108_345_000)  # 50,000 at 1.08345: naive int64 wraps
@example([UNITS_MAX - 1], 100_000_000)
@example([99_999_999, 100_000_001], 99_999_999)
def test_products_are_those_of_decimals(left: list[int], right: int) -> None:
    fitting = [factor for factor in left if factor * right < UNITS_MAX * 10**8 // 2]
    assert multiply(np.array(fitting, np.int64), right).tolist() == [product(factor, right) for factor in fitting]


@given(st.lists(st.integers(0, 2**31), min_size=1), st.integers(0, 10**6).map(lambda odd: 50_000_000 + odd * 10**8))
def test_halves_go_to_the_even_side(left: list[int], right: int) -> None:
    assert multiply(np.array(left, np.int64), right).tolist() == [product(factor, right) for factor in left]


@given(wholes.filter(bool), st.integers(1, UNITS_MAX))
def test_a_product_never_exceeds_what_its_factor_was_limited_for(quantity: int, most: int) -> None:
    largest = factor_max(quantity, most)
    assert quantity * largest <= most * 10**8
    assert largest == UNITS_MAX - 1 or quantity * (largest + 1) > most * 10**8


def test_a_product_too_large_to_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        multiply(np.array([1, UNITS_MAX // 2], np.int64), 200_000_000)


def test_nothing_has_no_products() -> None:
    assert multiply(np.array([], np.int64), 5).tolist() == []


@given(st.integers(1 - UNITS_MAX, UNITS_MAX - 1))
def test_units_are_the_amount(whole: int) -> None:
    assert units(amount(whole)) == whole


UNHELD = ["0.000000001", "11529215046.06846976", "-11529215046.06846976", "1e30", "NaN"]


@pytest.mark.parametrize("text", UNHELD)
def test_an_amount_that_units_cannot_say_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"does not fit|NaN"):
        units(Decimal(text))


LEVELS = [
    ("held", "1.00000001", 100_000_001),
    ("between two units", "1.000000019", 100_000_001),
    ("below zero", "-1.000000001", -100_000_001),
    ("beyond every equity", "1e20", MOST),
    ("below every equity", "-1e20", LEAST),
]


@pytest.mark.parametrize(("text", "whole"), [case[1:] for case in LEVELS], ids=[case[0] for case in LEVELS])
def test_a_threshold_is_rounded_down_so_that_no_equity_slips_by(text: str, whole: int) -> None:
    assert level(Decimal(text)) == whole


@dataclass(slots=True)
class Pair(Columns):
    count: Ints
    seen: Flags


def test_columns_grow_together_and_keep_what_they_hold() -> None:
    pair = Pair.empty(1)
    pair.set(0, count=7, seen=True)
    pair.grow(3)
    pair.move(0, 2)
    assert (pair.count.tolist(), pair.seen.tolist()) == ([7, 0, 7], [True, False, True])
