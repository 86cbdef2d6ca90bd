"""PROTECT sets, moves and removes what closes an open position; REDUCE and CLOSE rest at a price."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain import corrections
from domain.accounts import Journal
from domain.ledger import Kind
from domain.lifecycles import AccountStatus, ActionStatus, FillStatus, OrderStatus
from domain.orders import ActionResult, Order, OrderType, Verb
from domain.terms import Slippage
from tests.domain.builders import NOON, a_limit, a_phase_terms, a_policy
from tests.domain.desk_builders import a_moment, conditions, quoted
from tests.domain.played import SECOND, Played

STOP_LOSS, TAKE_PROFIT, LIMIT, STOP = OrderType.STOP_LOSS, OrderType.TAKE_PROFIT, OrderType.LIMIT, OrderType.STOP


def code(result: ActionResult) -> str | None:
    return result.refusal.code if result.refusal else None


def protect(played: Played, quantity: str | None = None, **given: Any) -> ActionResult:
    return played.propose("PROTECT", quantity=quantity, **given)


def working(played: Played) -> list[tuple[OrderType, Verb, str, str]]:
    return [(o.type, o.verb, str(o.price), str(o.quantity)) for o in played.account.orders.values()]


def chain(played: Played, kind: OrderType) -> list[Order]:
    """Every version of the stop-loss or take-profit, the oldest first."""
    return [order for order in played.journal.orders.values() if order.type is kind]


def test_it_sets_both_on_an_open_position_and_trades_nothing() -> None:
    played = Played()
    played.propose()
    before = played.account
    result = protect(played, stop_loss="1.08", take_profit="1.12")
    assert (result.status, result.fill, result.order) == (ActionStatus.EXECUTED, None, played.order(STOP_LOSS))
    assert working(played) == [
        (STOP_LOSS, Verb.CLOSE, "1.08", "1000"), (TAKE_PROFIT, Verb.CLOSE, "1.12", "1000"),
    ]  # fmt: skip
    assert {order.action_seq for order in played.account.orders.values()} == {result.seq}
    assert (played.account.cash, played.account.positions) == (before.cash, before.positions)
    assert played.kinds()[-3:] == [Kind.ACTION_ACCEPTED, Kind.ORDER_PLACED, Kind.ORDER_PLACED]
    played.quote("1.08")
    assert played.account.positions == {}
    assert played.account.orders == {}


def test_a_moved_one_keeps_its_history() -> None:
    played = Played()
    played.propose(stop_loss="1.08", take_profit="1.12")
    for price in ("1.085", "1.09"):
        assert protect(played, stop_loss=price).status is ActionStatus.EXECUTED
    first, second, third = chain(played, STOP_LOSS)
    assert [(o.status, str(o.price), o.origin) for o in (first, second, third)] == [
        (OrderStatus.CANCELLED, "1.08", None),
        (OrderStatus.CANCELLED, "1.085", first.seq),
        (OrderStatus.WORKING, "1.09", first.seq),
    ]
    assert first.outcome == second.outcome == {"reason": "REPLACED"}
    assert len(chain(played, TAKE_PROFIT)) == 1, "what is left out stays"
    placed = [row.facts for row in played.journal.rows if row.kind is Kind.ORDER_PLACED and row.seq == third.seq]
    assert [facts["origin"] for facts in placed] == [first.seq]


def test_the_same_again_changes_nothing() -> None:
    played = Played()
    played.propose(stop_loss="1.08")
    before = dict(played.account.orders)
    result = protect(played, stop_loss="1.08")
    assert (result.status, result.order, played.account.orders) == (ActionStatus.EXECUTED, None, before)
    assert played.kinds()[-1] is Kind.ACTION_ACCEPTED


@pytest.mark.parametrize("text", ["NONE", "none", "0", "0.0"])
def test_it_removes_what_it_says_there_shall_be_none_of(text: str) -> None:
    played = Played()
    played.propose(stop_loss="1.08", take_profit="1.12")
    result = protect(played, stop_loss=text, take_profit="1.13")
    assert result.order == played.order(TAKE_PROFIT)
    assert working(played) == [(TAKE_PROFIT, Verb.CLOSE, "1.13", "1000")]
    assert played.order(STOP_LOSS).outcome == {"reason": "REMOVED"}
    assert protect(played, stop_loss=text).status is ActionStatus.EXECUTED, "there is none already"


PARTS = [
    ({"quantity": "400"}, "400"),
    ({"fraction": "0.4"}, "400"),
    ({"fraction": "1"}, None),
    ({"quantity": "1000"}, None),
]


@pytest.mark.parametrize(("size", "part"), PARTS)
def test_a_part_closes_that_part_alone(size: dict[str, Any], part: str | None) -> None:
    played = Played()
    played.propose()
    protect(played, stop_loss="1.08", **size)
    played.quote("1.07")
    fill = played.journal.fills[-1]
    left = [position.quantity for position in played.account.positions.values()]
    if part is None:
        assert (fill.verb, fill.quantity, left) == (Verb.CLOSE, Decimal(1000), [])
    else:
        assert (fill.verb, fill.quantity, left) == (Verb.REDUCE, Decimal(part), [Decimal(600)])
    assert played.account.orders == {}


def test_a_part_that_exceeds_what_is_left_closes_what_is_left() -> None:
    played = Played()
    played.propose()
    protect(played, stop_loss="1.08", quantity="400")
    protect(played, stop_loss="1.085")
    assert working(played) == [(STOP_LOSS, Verb.REDUCE, "1.085", "400")], "what is moved keeps its size"
    played.propose("REDUCE", quantity="900")
    played.quote("1.08")
    assert played.journal.fills[-1].quantity == 100
    assert (played.account.positions, played.account.orders) == ({}, {})
    assert played.order(STOP_LOSS).quantity == 100


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("nothing to set", {}, "INVALID_ORDER"),
    ("a price of its own", {"price": "1.2", "order": "LIMIT", "stop_loss": "1.08"}, "INVALID_ORDER"),
    ("a stop-loss above", {"stop_loss": "1.11"}, "STOP_LOSS_SIDE"),
    ("a take-profit below", {"take_profit": "1.09"}, "TAKE_PROFIT_SIDE"),
    ("more than is open", {"stop_loss": "1.08", "quantity": "1001"}, "EXCEEDS_POSITION"),
    ("a price that is none", {"stop_loss": "x"}, "INVALID_PRICE"),
    ("a price below nothing", {"stop_loss": "-1"}, "INVALID_PRICE"),
    ("another side", {"stop_loss": "1.12", "side": "SHORT"}, "NO_POSITION"),
    ("another instrument", {"stop_loss": "1.08", "symbol": "GBPUSD"}, "NO_POSITION"),
]


@pytest.mark.parametrize(("given", "refusal"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_cannot_protect_is_refused_and_changes_nothing(given: dict[str, Any], refusal: str) -> None:
    played = Played()
    played.propose(stop_loss="1.05")
    before = played.account.orders
    assert code(protect(played, **given)) == refusal
    assert played.account.orders == before


def test_it_needs_no_fresh_quote_and_no_limit_forbids_it() -> None:
    policy = a_policy(fee_bps=Decimal(0), orders_max=0, symbols=())
    played = Played(policy)
    played.propose()
    played.account = replace(
        played.account,
        policy=replace(policy, symbols=("GBPUSD",), long_allowed=False, notional_max=Decimal(1)),
        blocked_until=NOON + timedelta(days=1),
    )
    played.number += 3600  # an hour without a quote
    assert code(played.propose("CLOSE", quantity=None)) == "PRICE_STALE"
    assert protect(played, stop_loss="1.08", take_profit="1.2").status is ActionStatus.EXECUTED
    assert len(played.account.orders) == 2
    played.account = replace(played.account, status=AccountStatus.PAUSED)
    assert code(protect(played, stop_loss="1.07")) == "ACCOUNT_NOT_OPEN"


EXITS = [
    ("LONG", "LIMIT", "1.12", "1.1199", "1.12"),
    ("LONG", "STOP", "1.08", "1.0801", "1.07"),
    ("SHORT", "LIMIT", "1.08", "1.0801", "1.08"),
    ("SHORT", "STOP", "1.12", "1.1199", "1.13"),
]


@pytest.mark.parametrize("verb", ["REDUCE", "CLOSE"])
@pytest.mark.parametrize(("side", "kind", "price", "away", "reached"), EXITS)
def test_an_exit_rests_until_its_price_is_there(
    verb: str, side: str, kind: str, price: str, away: str, reached: str
) -> None:
    played = Played()
    played.propose(side=side)
    size = "400" if verb == "REDUCE" else None
    result = played.propose(verb, side=side, order=kind, price=price, quantity=size)
    assert (result.status, result.fill) == (ActionStatus.WORKING, None)
    played.propose("INCREASE", side=side, quantity="500")
    played.quote(away)
    assert len(played.journal.fills) == 2
    played.quote(reached)
    fill = played.journal.fills[-1]
    assert (fill.verb, fill.price) == (Verb(verb), Decimal(reached))
    assert fill.quantity == (400 if verb == "REDUCE" else 1500)
    assert played.account.orders == {}


def test_an_exit_whose_price_is_there_is_filled_at_once() -> None:
    played = Played()
    played.propose()
    result = played.propose("REDUCE", order="LIMIT", price="1.09", quantity="400")
    assert (result.status, result.fill and result.fill.quantity) == (ActionStatus.EXECUTED, Decimal(400))


def test_exits_end_with_their_position_and_only_with_theirs() -> None:
    played = Played()
    played.propose()
    played.propose(side="SHORT")
    for side, price in (("LONG", "1.2"), ("SHORT", "1.0")):
        played.propose("REDUCE", side=side, order="LIMIT", price=price, quantity="400")
        played.propose("CLOSE", side=side, order="LIMIT", price=price, quantity=None)
    played.propose("CLOSE", quantity=None)
    assert [order.side.value for order in played.account.orders.values()] == ["SHORT", "SHORT"]
    ended = [o.outcome for o in played.journal.orders.values() if o.status is OrderStatus.CANCELLED]
    assert ended == [{"reason": "POSITION_CLOSED"}] * 2


def test_exits_at_one_quote_never_close_more_than_is_open() -> None:
    played = Played()
    played.propose()
    for _ in range(4):
        played.propose("REDUCE", order="STOP", price="1.08", quantity="400")
    played.quote("1.07")
    exits = [fill.quantity for fill in played.journal.fills[1:]]
    assert exits == [400, 400, 200]
    assert (played.account.positions, played.account.orders) == ({}, {})


def test_as_many_exits_may_rest_as_orders_and_entries_keep_none_out() -> None:
    played = Played(a_policy(fee_bps=Decimal(0), orders_max=2))
    played.propose()
    for name in ("e1", "e2"):
        played.propose("INCREASE", name, order="LIMIT", price="1.05")
    entries = len(played.account.orders)
    assert entries == 2
    for _ in range(2):
        assert played.propose("REDUCE", order="LIMIT", price="1.2", quantity="100").status is ActionStatus.WORKING
    third = played.propose("REDUCE", order="LIMIT", price="1.2", quantity="100")
    assert (code(third), third.refusal and third.refusal.limit, len(played.account.orders)) == (
        "ORDERS_MAX", "2", entries + 2,
    )  # fmt: skip
    assert played.propose("REDUCE", quantity="100").status is ActionStatus.EXECUTED, "at the market nothing forbids it"


@pytest.mark.parametrize("status", [AccountStatus.PAUSED, AccountStatus.LOCKED])
def test_a_resting_exit_works_where_nobody_may_trade(status: AccountStatus) -> None:
    played = Played()
    played.propose()
    played.propose("CLOSE", order="STOP", price="1.08", quantity=None)
    played.account = replace(played.account, status=status)
    played.quote("1.07")
    assert played.account.positions == {}


def test_a_stop_under_bid_ask_is_compared_with_the_price_that_closes() -> None:
    played = Played(a_policy(fee_bps=Decimal(0), slippage=Slippage.BID_ASK))
    played.quote("1.1000", spread="0.0010")
    played.propose()
    assert code(protect(played, stop_loss="1.1005")) == "STOP_LOSS_SIDE", "the bid is 1.1000"
    assert protect(played, take_profit="1.1005").status is ActionStatus.EXECUTED
    assert played.account.positions
    played.quote("1.1005", spread="0.0010")
    assert not played.account.positions


def test_the_end_of_a_phase_cancels_resting_exits() -> None:
    played = Played(terms=a_phase_terms(daily_loss=a_limit("1")))
    played.propose(quantity="30000")
    played.propose("REDUCE", order="LIMIT", price="1.2", quantity="100")
    played.quote("1.05")
    assert not played.account.orders
    assert played.order(LIMIT).status is OrderStatus.CANCELLED


def test_a_void_of_the_opening_fill_cancels_resting_exits() -> None:
    played = Played()
    played.propose()
    played.propose("CLOSE", order="LIMIT", price="1.2", quantity=None)
    protect(played, stop_loss="1.08")
    fills, journal = tuple(played.journal.fills), Journal()
    positions = {p.seq: p for p in played.account.positions.values()}
    cash, fee_bps = played.account.cash, played.account.policy.fee_bps
    books = corrections.Books(fills, positions, fee_bps, cash, cash)
    computed = corrections.outcome(books, [fills[0].seq], NOON)
    moment = a_moment(played.market, NOON + 9 * SECOND, played.number)
    account = corrections.correct(played.account, books, computed, [], {}, moment, conditions(), journal)
    assert account.orders == {}
    assert {order.outcome["reason"] for order in journal.orders.values()} == {"POSITION_VOIDED"}
    assert computed.fills[fills[0].seq].status is FillStatus.VOID


def test_an_exit_waits_for_a_fresh_quote_of_its_own_symbol() -> None:
    played = Played()
    played.propose()
    played.propose("CLOSE", order="STOP", price="1.08", quantity=None)
    played.quote("1.07", after=timedelta(hours=1))
    assert played.account.positions
    played.batch(quoted("EURUSD", -500, at=NOON + (played.number + 1) * SECOND))
    assert not played.account.positions
