"""What is accepted can be stored: bounds of orders and quotes, alone and together."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bounds import GROSS_MAX, LEEWAY, Bearing, Checked, Largest, check_storable, is_bearable
from domain.errors import AccountQuarantined
from domain.gates import admit
from domain.instruments import Catalogue, Currency, Instrument
from domain.money import AMOUNT_MAX, NotStorable
from domain.pre_trade import GateRefused, OrderTicket
from domain.quotes import PRICE_MAX, Quote
from tests.domain.builders import NOON, a_phase_run, a_policy, an_account, an_action
from tests.domain.desk_builders import CATALOGUE, priced

BOUNDLESS = {
    "notional_max": AMOUNT_MAX,
    "leverage_max": AMOUNT_MAX,
    "position_equity_pct_max": AMOUNT_MAX,
    "fee_bps": Decimal(0),
}
YEN = Catalogue(
    {
        name: Instrument(name, base, quote, 12, Decimal(1), Decimal(1))
        for name, base, quote in (("COIN", None, "USD"), ("EURUSD", "EUR", "USD"), ("EURJPY", "EUR", "JPY"))
    },
    {code: Currency(code, 2, code) for code in ("EUR", "USD", "JPY")},
)


def at(symbol: str, price: str | Decimal) -> Quote:
    return priced(symbol, str(price), NOON)


ORDERS = {
    "a quantity": ("1e-6", "1000000000000001", "quantity", "1000000000000001"),
    "a cost": ("1e9", "1000001", "cost in the quote currency", "1000001000000000"),
    "all positions": ("1", "10000000000001", "notional of all positions", "10000000000001"),
}


@pytest.mark.parametrize(("price", "quantity", "what", "observed"), ORDERS.values(), ids=ORDERS)
def test_an_order_that_is_out_of_range_is_refused_by_name(price: str, quantity: str, what: str, observed: str) -> None:
    account = an_account(policy=a_policy(**BOUNDLESS))
    with pytest.raises(GateRefused, match="OUT_OF_RANGE") as refused:
        admit(OrderTicket(an_action(quantity=quantity), account, {"EURUSD": at("EURUSD", price)}, CATALOGUE, NOON, 5))
    refusal = refused.value.refusal
    assert (refusal.code, refusal.observed) == ("OUT_OF_RANGE", observed)
    assert what in refusal.message


def test_a_quote_is_bearable_where_every_worth_can_be_stored() -> None:
    market = {q.symbol: q for q in (at("COIN", "0.001"), at("EURUSD", "1.1"), at("EURJPY", "160"))}
    largest = [Largest("JPY", "COIN", Decimal(10) ** 12, Decimal(10) ** 9)]
    assert is_bearable(at("COIN", "0.01"), market, largest, YEN)
    assert not is_bearable(at("COIN", "100"), market, largest, YEN), "worth 1e14 dollars"
    assert not is_bearable(at("EURJPY", "1600000"), market, largest, YEN), "worth 1.5e15 yen"
    assert not is_bearable(at("EURUSD", "0.00001"), market, largest, YEN), "a dollar is worth 16 million yen"
    assert is_bearable(at("EURUSD", "0.00001"), market, [], YEN)


def test_the_largest_positions_are_read_where_a_price_leaves_what_was_checked() -> None:
    market = {"COIN": at("COIN", "1")}
    bearing = Bearing({}, market, None, YEN)
    assert bearing.bears(at("COIN", LEEWAY))
    assert bearing.is_checked
    assert bearing.bears(at("COIN", LEEWAY + 1))
    assert not bearing.is_checked
    bearing = Bearing({}, market, [Largest("USD", "COIN", Decimal(10) ** 12, Decimal(0))], YEN)
    assert bearing.bears(at("COIN", "10"))
    assert not bearing.bears(at("COIN", "1e4"))
    assert bearing.checked == {"COIN": Checked(Decimal("2.5"), Decimal(40))}


def test_slow_steps_are_checked_as_well() -> None:
    bearing = Bearing({}, {"COIN": at("COIN", "1")}, [Largest("USD", "COIN", Decimal(10) ** 12, Decimal(0))], YEN)
    price = Decimal(1)
    while bearing.bears(at("COIN", price)):
        price *= 2
    assert price < 100, "10 dollars a coin are the most"


def test_figures_of_more_than_twenty_digits_cannot_be_stored() -> None:
    check_storable(an_account(cash=AMOUNT_MAX - 1))
    for figures in ({"cash": AMOUNT_MAX}, {"unrealised": -AMOUNT_MAX}, {"high_watermark": AMOUNT_MAX}):
        with pytest.raises(NotStorable, match=next(iter(figures))):
            check_storable(an_account(**figures))
    with pytest.raises(NotStorable, match="day_low"):
        check_storable(an_account(phase=a_phase_run(day_low=-AMOUNT_MAX)))


exponents = st.floats(-11.9, 9.99)
steps = st.lists(
    st.tuples(st.sampled_from(["COIN", "EURUSD", "EURJPY", "open"]), exponents, st.integers(0, 1)),
    min_size=1,
    max_size=40,
)


@given(steps)
def test_whatever_quotes_two_processes_accept_no_worth_overflows(steps: list[tuple[str, float, int]]) -> None:
    """An account in yen opens at each "open" as much of a coin in dollars as a gate lets it."""
    market = {q.symbol: q for q in (at("COIN", "1"), at("EURUSD", "1"), at("EURJPY", "100"))}
    checked: list[dict[str, Checked]] = [{}, {}]
    quantity = cost = Decimal(0)
    for what, exponent, process in steps:
        rate = YEN.rate("USD", "JPY", market)
        assert rate
        price = market["COIN"].ask
        if what == "open":
            more = (GROSS_MAX / rate.value - quantity * price) / price if rate.value else Decimal(0)
            if more > 0 and quantity + more <= 10**15 and cost + more * price <= 10**15:
                quantity, cost = quantity + more, cost + more * price
            continue
        mid = Decimal(10**exponent).quantize(Decimal("1e-12"))
        quote = at(what, mid)
        assert quote.ask < PRICE_MAX
        bearing = Bearing(checked[process], market, None, YEN)
        bears = bearing.bears(quote)
        if not bearing.is_checked:
            bearing = Bearing(checked[process], market, [Largest("JPY", "COIN", quantity, cost)], YEN)
            bears = bearing.bears(quote)
        if bears:
            checked[process], market = bearing.checked, {**market, what: quote}
        now = YEN.rate("USD", "JPY", market)
        assert now
        worth = (quantity * market["COIN"].ask + cost) * now.value
        assert worth * 10_000 < AMOUNT_MAX, "as many positions as a policy allows"


def test_an_account_whose_equity_is_out_of_range_adds_nothing() -> None:
    account = replace(an_account(policy=a_policy(**BOUNDLESS)), cash=Decimal(10) ** 15 + 1)
    with pytest.raises(GateRefused) as refused:
        admit(OrderTicket(an_action(quantity="1000"), account, {"EURUSD": at("EURUSD", "1")}, CATALOGUE, NOON, 5))
    assert refused.value.refusal.code == "OUT_OF_RANGE"


def test_only_a_reason_that_names_figures_is_told() -> None:
    told = str(AccountQuarantined.because_of(NotStorable("cash is 1E+20"), 100001))
    assert told.endswith("account 100001, NotStorable: cash is 1E+20.")
    told = str(AccountQuarantined.because_of(ValueError("a text of the program"), 100001))
    assert told.endswith("account 100001, ValueError.")
