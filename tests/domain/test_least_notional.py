"""The least notional of an instrument: dust is not traded, and no position is kept open by it."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.decision_context import largest_order
from domain.execution import submit
from domain.gates import admit
from domain.lifecycles import OrderStatus
from domain.orders import OrderType
from domain.positions import Side
from domain.pre_trade import GateRefused, OrderTicket
from tests.domain.builders import NOON, a_policy, an_account, an_action
from tests.domain.desk_builders import CATALOGUE, a_market, a_moment, conditions, holding, priced
from tests.domain.played import Played
from tests.domain.test_gates import euros

EURUSD = replace(CATALOGUE.instruments["EURUSD"], notional_min=Decimal(10))
LEAST = replace(CATALOGUE, instruments={**CATALOGUE.instruments, "EURUSD": EURUSD})
MARKET = a_market() | {"EURUSD": priced("EURUSD", "2")}


def code(held: str = "0", **given: Any) -> str | None:
    """The code that refuses the action with EURUSD at 2 and orders of at least 10 dollars; None where it passes."""
    account = an_account(policy=a_policy(position_equity_pct_max=Decimal(1000)))
    if held != "0":
        account = holding(account, euros(held), market=MARKET)
    try:
        admit(OrderTicket(an_action(**given), account, MARKET, LEAST, NOON, positions_max=5))
    except GateRefused as refused:
        return refused.refusal.code
    return None


REDUCE, PROTECT = {"action": "REDUCE"}, {"action": "PROTECT", "stop_loss": "1.5"}
CASES: list[tuple[str, str | None, str, dict[str, Any]]] = [
    ("an opening below it", "NOTIONAL_MIN", "0", {"quantity": "4.99"}),
    ("an opening of exactly so much", None, "0", {"quantity": "5"}),
    ("a notional that the step cuts below it", "NOTIONAL_MIN", "0", {"quantity": None, "notional": "9.999"}),
    ("an increase below it, whatever is there", "NOTIONAL_MIN", "1000", {"action": "INCREASE", "quantity": "1"}),
    ("an entry at a price of its own", "NOTIONAL_MIN", "0", {"quantity": "5", "order": "LIMIT", "price": "1.9"}),
    ("a reduction below it", "NOTIONAL_MIN", "1000", REDUCE | {"quantity": "4.99"}),
    ("a fraction below it", "NOTIONAL_MIN", "100", REDUCE | {"quantity": None, "fraction": "0.01"}),
    ("a reduction that leaves less", None, "1000", REDUCE | {"quantity": "999"}),
    ("all of what is worth less, by quantity", None, "1", REDUCE | {"quantity": "1"}),
    ("all of what is worth less", None, "1", {"action": "CLOSE", "quantity": None}),
    ("a part of what is worth less", "NOTIONAL_MIN", "1", REDUCE | {"quantity": "0.5"}),
    ("a stop-loss of a part below it", "NOTIONAL_MIN", "1000", PROTECT | {"quantity": "1"}),
    ("a stop-loss of all of what is worth less", None, "1", PROTECT | {"quantity": None}),
]


@pytest.mark.parametrize(("expected", "held", "given"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_an_order_is_worth_the_least_notional_or_closes_all(
    expected: str | None, held: str, given: dict[str, Any]
) -> None:
    assert code(held, **given) == expected


def test_the_refusal_names_the_least_and_the_worth() -> None:
    ticket = OrderTicket(an_action(quantity="4.99"), an_account(), MARKET, LEAST, NOON, positions_max=5)
    with pytest.raises(GateRefused) as refused:
        admit(ticket)
    assert (refused.value.refusal.limit, refused.value.refusal.observed) == ("10", "9.98")


def test_an_instrument_without_one_takes_what_its_least_quantity_allows() -> None:
    admit(OrderTicket(an_action(quantity="0.01"), an_account(), MARKET, CATALOGUE, NOON, positions_max=5))


def test_a_better_price_does_not_refuse_an_order_that_rested(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of exactly the least is filled below its price, where it is worth less; so is a resting exit."""
    monkeypatch.setattr("tests.domain.played.conditions", lambda terms: conditions(terms, catalogue=LEAST))
    played = Played()
    played.propose(quantity="10", order="LIMIT", price="1")
    played.quote("0.9")
    assert played.order(OrderType.LIMIT).status is OrderStatus.FILLED
    played.propose("REDUCE", order="STOP", price="0.8", quantity="12.5")
    assert played.account.orders == {}, "more than is open"
    played.propose("INCREASE", quantity="100")
    played.propose("REDUCE", order="STOP", price="0.8", quantity="12.5")
    played.quote("0.1")
    assert played.order(OrderType.STOP).status is OrderStatus.FILLED


def test_the_largest_order_is_found_from_the_least_notional_on() -> None:
    """Where the smallest order by quantity would be refused, the one by notional is not; and no room says so."""
    tight = an_account(policy=a_policy(notional_max=Decimal(12)))
    moment = a_moment(MARKET)
    size = largest_order(tight, "EURUSD", Side.LONG, moment, conditions(catalogue=LEAST))
    assert (size.quantity, size.refusal.code) == (Decimal(6), "NOTIONAL_MAX")
    tighter = an_account(policy=a_policy(notional_max=Decimal(9)))
    size = largest_order(tighter, "EURUSD", Side.LONG, moment, conditions(catalogue=LEAST))
    assert (size.quantity, size.refusal.code) == (Decimal(0), "NOTIONAL_MAX")


def test_a_position_is_closed_in_no_more_fills_than_it_is_worth_least_notionals() -> None:
    """Slicing is bounded: each fill but the last is worth the least."""
    account = holding(an_account(policy=a_policy(fee_bps=Decimal(0))), euros("1000"), market=MARKET)
    played = Played()
    fills = 0
    while account.positions:
        actions = [an_action(action_id=f"{fills}-{n}", action="REDUCE", quantity="5") for n in range(50)]
        account, results = submit(account, actions, {}, a_moment(MARKET), conditions(catalogue=LEAST), played.journal)
        fills += sum(result.fill is not None for result in results)
    assert fills == 200
