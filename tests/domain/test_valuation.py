"""What holdings are worth: marks at which they could be closed, in the account's currency."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.accounts import Account
from domain.conversion import AT_PAR
from domain.positions import Side
from domain.terms import Slippage
from domain.valuation import (
    deal_price,
    gross_notional,
    is_fresh,
    mark_price,
    rate_of,
    symbols_of,
    symbols_that_move,
    unrealised,
)
from tests.domain.builders import NOON, a_policy, a_quote, an_account, an_instrument, an_order
from tests.domain.desk_builders import CATALOGUE, a_holding, a_market, holding, priced

MARKS = [
    (Slippage.MID_PRICE, Side.LONG, "1.1001", "1.1001"),
    (Slippage.MID_PRICE, Side.SHORT, "1.1001", "1.1001"),
    (Slippage.BID_ASK, Side.LONG, "1.1002", "1.1"),
    (Slippage.BID_ASK, Side.SHORT, "1.1", "1.1002"),
]


@pytest.mark.parametrize(("slippage", "side", "opened_at", "marked_at"), MARKS)
def test_a_side_is_opened_and_marked_at(slippage: Slippage, side: Side, opened_at: str, marked_at: str) -> None:
    quote = a_quote("1.1000", "1.1002")
    assert deal_price(quote, side is Side.LONG, slippage) == Decimal(opened_at)
    assert mark_price(quote, side, slippage) == Decimal(marked_at)


def test_a_quote_is_fresh_until_the_policy_s_age_and_par_always() -> None:
    policy = a_policy(quote_age_seconds_max=60)
    assert is_fresh(NOON - timedelta(seconds=60), NOON, policy)
    assert not is_fresh(NOON - timedelta(seconds=60, microseconds=1), NOON, policy)
    assert is_fresh(None, NOON, policy)


def trader(currency: str) -> Account:
    """Long 1,000 and short 400 EURUSD, short 200 EURGBP, all from the base prices."""
    return holding(
        an_account(currency=currency),
        a_holding("EURUSD", Side.LONG, "1000"),
        a_holding("EURUSD", Side.SHORT, "400"),
        a_holding("EURGBP", Side.SHORT, "200"),
    )


def test_longs_and_shorts_are_marked_against_each_other_and_notionals_add_up() -> None:
    market = a_market() | {
        "EURUSD": priced("EURUSD", "1.11"),
        "EURGBP": priced("EURGBP", "0.85"),
        "GBPUSD": priced("GBPUSD", "1.3"),
    }
    # 600 x (1.11 - 1.10005) = 5.97; 200 x (0.84620 - 0.85) = -0.76 GBP = -0.988 USD
    assert unrealised(trader("USD"), market, CATALOGUE) == Decimal("4.982")
    assert gross_notional(trader("USD"), market, CATALOGUE) == Decimal(1400) * Decimal("1.11") + 170 * Decimal("1.3")


def test_a_rate_inverts_the_pair_where_it_must() -> None:
    market = a_market() | {"USDJPY": priced("USDJPY", "160")}
    assert rate_of("USDJPY", "USD", market, CATALOGUE).value == Decimal("0.00625")
    assert rate_of("BTCUSDC", "USD", {}, CATALOGUE) == AT_PAR


def test_holdings_move_with_their_own_symbol_and_with_the_pair_that_converts_them() -> None:
    assert symbols_that_move(trader("USD"), CATALOGUE, a_market()) == {"EURUSD", "EURGBP", "GBPUSD"}
    assert symbols_that_move(trader("EUR"), CATALOGUE, a_market()) == {"EURUSD", "EURUSDC", "EURGBP"}
    par = holding(an_account(currency="USDC"), a_holding("EURUSD", Side.LONG, "1"))
    assert symbols_that_move(par, CATALOGUE, a_market()) == {"EURUSD"}
    assert symbols_that_move(replace(par, positions={}), CATALOGUE, a_market()) == frozenset()


def test_an_order_is_followed_by_its_own_symbol_and_the_pair_that_converts_it() -> None:
    idle = an_account(currency="EUR", orders={3: an_order(symbol="GBPUSD"), 4: an_order(symbol="EURGBP")})
    assert symbols_that_move(idle, CATALOGUE, a_market()) == {"GBPUSD", "EURUSD", "EURUSDC", "EURGBP"}
    assert symbols_of("GBPUSD", "USDC", CATALOGUE, a_market()) == {"GBPUSD"}


def test_at_par_not_even_a_pair_of_the_two_currencies_moves_a_holding() -> None:
    between = an_instrument("USDCUSD", base_currency="USDC", quote_currency="USD")
    catalogue = replace(CATALOGUE, instruments={"USDCUSD": between, **CATALOGUE.instruments})
    account = holding(an_account(currency="USDC"), a_holding("EURUSD", Side.LONG, "1"))
    assert symbols_that_move(account, catalogue, {}) == {"EURUSD"}
