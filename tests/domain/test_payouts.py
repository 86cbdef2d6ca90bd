"""What the trader gets, what the house keeps."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.payouts import share

SHARES = [
    ("80 % of a round profit", "1000", "0.8", 2, "800", "200"),
    ("cut, not rounded, to the cent", "100.01", "0.8", 2, "80", "20.01"),
    ("half a cent is the house's", "0.01", "0.5", 2, "0", "0.01"),
    ("a currency without minor units", "1000.9", "0.8", 0, "800", "200.9"),
    ("a currency with three", "1.0019", "1", 3, "1.001", "0.0009"),
    ("everything to the trader", "0.12345678", "1", 8, "0.12345678", "0"),
    ("no split", "1000", "0", 2, "0", "1000"),
    ("no profit", "0", "0.8", 2, "0", "0"),
    ("a loss is not shared", "-1000", "0.8", 2, "0", "0"),
    (
        "thirds of a long amount",
        "99999999999999999999.99999999",
        "0.3333",
        2,
        "33329999999999999999.99",
        "66670000000000000000.00999999",
    ),
]


@pytest.mark.parametrize(
    ("profit", "split", "units", "amount", "rest"), [c[1:] for c in SHARES], ids=[c[0] for c in SHARES]
)
def test_a_profit_is_shared(profit: str, split: str, units: int, amount: str, rest: str) -> None:
    assert share(Decimal(profit), Decimal(split), units) == (Decimal(amount), Decimal(rest))


@given(
    st.decimals("0.00000001", "100000000", places=8),
    st.decimals(0, 1, places=4),
    st.integers(0, 8),
)
def test_nothing_is_made_or_lost(profit: Decimal, split: Decimal, units: int) -> None:
    amount, rest = share(profit, split, units)
    assert amount + rest == profit
    assert 0 <= amount <= profit * split < amount + Decimal(1).scaleb(-units)
