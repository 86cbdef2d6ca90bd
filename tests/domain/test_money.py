"""Exact amounts: what is read, what is written, how it is rounded."""

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import money

amounts = st.decimals("-99999999999999999999", "99999999999999999999", places=8)

REFUSED = [
    "NaN",
    "sNaN",
    "-nan",
    "Infinity",
    "-inf",
    "1e400",
    "1e20",
    "-100000000000000000000",
    "0.000000001",
    "1e-9",
    "1e-99999999",  # would be written with a hundred million zeros
    "\u0661\u0662",  # Arabic-Indic digits
    "\uff11",  # a full-width one
    "1_000",
    " 1",
    "1\n",
    "",
    "-",
    "one",
    "1,5",
    "0x10",
    "1" * 65,
    "0" * 65,
    "9" * 999_999,
]


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:24]))
def test_text_that_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(money.NotAnAmount):
        money.parse(text)


READ = [
    ("1", "1"),
    ("-0.5", "-0.5"),
    ("+3", "3"),
    (".5", "0.5"),
    ("1e3", "1000"),
    ("1.50000000000", "1.5"),  # zeros beyond the eighth place lose nothing
    ("1e-8", "0.00000001"),
    ("99999999999999999999.99999999", "99999999999999999999.99999999"),
    ("-0", "0"),
    ("0e-30", "0"),
    ("0e-99999999", "0"),
    ("0e99999999", "0"),
    ("0" * 63 + "7", "7"),
]


@pytest.mark.parametrize(("text", "written"), READ)
def test_an_amount_is_read_and_written_plainly(text: str, written: str) -> None:
    assert money.plain(money.parse(text)) == written


@given(amounts)
def test_what_is_written_reads_back_the_same(amount: Decimal) -> None:
    text = money.plain(amount)
    assert money.parse(text) == amount
    assert money.plain(money.parse(text)) == text
    assert "e" not in text.lower()


ROUNDED = [
    ("0.000000005", "0"),
    ("0.000000015", "0.00000002"),
    ("-0.000000025", "-0.00000002"),
    ("0.0000000250000000001", "0.00000003"),
]


@pytest.mark.parametrize(("value", "booked"), ROUNDED)
def test_halves_are_booked_to_the_even_digit(value: str, booked: str) -> None:
    assert money.round8(Decimal(value)) == Decimal(booked)


@given(amounts, amounts)
def test_products_are_exact_whatever_the_surrounding_context(left: Decimal, right: Decimal) -> None:
    with localcontext(prec=5):
        product = money.multiply(left, right)
    assert Fraction(product) == Fraction(left) * Fraction(right)


PERCENTAGES = [
    ("100000", "5", "5000"),
    ("102000.01", "3.3333", "3399.96633333"),
    ("0.0000001", "5", "0"),
    ("-200", "5", "-10"),
]


@pytest.mark.parametrize(("value", "pct", "part"), PERCENTAGES)
def test_a_percentage_is_the_source_s(value: str, pct: str, part: str) -> None:
    assert money.percent(Decimal(value), Decimal(pct)) == Decimal(part)


@given(
    st.decimals(0, 10**10, places=8),
    st.sampled_from([Decimal("0.01"), Decimal("0.00000001"), Decimal(1), Decimal("0.3")]),
)
def test_a_quantity_is_cut_to_its_step(value: Decimal, step: Decimal) -> None:
    cut = money.floor_step(value, step)
    assert cut <= value < cut + step
    assert cut % step == 0


MINOR = [("1.239", 2, "1.23", False), ("-1.239", 2, "-1.23", False), ("5", 0, "5", True), ("5.10", 1, "5.1", True)]


@pytest.mark.parametrize(("value", "units", "cut", "whole"), MINOR)
def test_real_money_is_whole_in_minor_units(value: str, units: int, cut: str, whole: bool) -> None:
    assert money.floor_minor(Decimal(value), units) == Decimal(cut)
    assert money.is_whole_minor(Decimal(value), units) is whole


@given(
    st.decimals(allow_nan=False, allow_infinity=False) | amounts | st.sampled_from([Decimal("-0E-8"), Decimal("1E+3")])
)
def test_the_text_of_an_amount_has_its_digits_and_nothing_else(value: Decimal) -> None:
    text = money.plain(value)
    assert Decimal(text) == value
    whole, _, places = text.removeprefix("-").partition(".")
    assert whole.isdigit() and (whole == "0" or whole[0] != "0")
    assert not places.endswith("0") and not text.endswith(".") and text != "-0"
