"""Working orders: counted, triggered by a fill, and ended together with the position they belong to."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain import working_orders
from domain.errors import InvalidTransition
from domain.execution import close_all
from domain.ledger import Kind
from domain.lifecycles import AccountStatus, ChallengeStatus, OrderStatus
from domain.orders import ActionResult, OrderType, Verb
from domain.positions import Side
from domain.terms import Slippage
from tests.domain.builders import NOON, a_limit, a_phase_terms, a_policy, a_target
from tests.domain.desk_builders import a_moment, conditions, priced
from tests.domain.played import FREE, SECOND, Played

LIMIT, STOP, STOP_LOSS, TAKE_PROFIT = OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LOSS, OrderType.TAKE_PROFIT


def code(result: ActionResult) -> str | None:
    return result.refusal.code if result.refusal else None


def test_a_fill_brings_its_stop_loss_and_take_profit_to_life() -> None:
    played = Played()
    result = played.propose(stop_loss="1.08", take_profit="1.12")
    assert played.kinds()[-2:] == [Kind.ORDER_PLACED, Kind.ORDER_PLACED]
    first, second = played.account.orders.values()
    assert [(o.type, o.verb, o.price, o.quantity, o.action_seq) for o in (first, second)] == [
        (STOP_LOSS, Verb.CLOSE, Decimal("1.08"), Decimal(1000), result.seq),
        (TAKE_PROFIT, Verb.CLOSE, Decimal("1.12"), Decimal(1000), result.seq),
    ]
    assert played.order(OrderType.MARKET).stop_loss == Decimal("1.08")


def test_they_come_to_life_only_when_the_entry_that_carries_them_is_filled() -> None:
    played = Played()
    placed = played.propose(order="STOP", price="1.11", stop_loss="1.08", take_profit="1.15")
    assert list(played.account.orders) == [placed.order_seq]
    played.quote("1.11")
    assert [(o.type, o.action_seq) for o in played.account.orders.values()] == [
        (STOP_LOSS, placed.seq),
        (TAKE_PROFIT, placed.seq),
    ]


PROTECTED = [
    ("LONG", STOP_LOSS, "1.0801", "1.08", TAKE_PROFIT),
    ("LONG", STOP_LOSS, "1.0801", "1.03", TAKE_PROFIT),
    ("LONG", TAKE_PROFIT, "1.1199", "1.12", STOP_LOSS),
    ("LONG", TAKE_PROFIT, "1.1199", "1.17", STOP_LOSS),
    ("SHORT", STOP_LOSS, "1.1199", "1.12", TAKE_PROFIT),
    ("SHORT", TAKE_PROFIT, "1.0801", "1.07", STOP_LOSS),
]


@pytest.mark.parametrize(("side", "kind", "away", "reached", "other"), PROTECTED)
def test_the_one_that_is_reached_closes_the_whole_position_and_cancels_the_other(
    side: str, kind: OrderType, away: str, reached: str, other: OrderType
) -> None:
    low, high = {"stop_loss": "1.08", "take_profit": "1.12"}, {"stop_loss": "1.12", "take_profit": "1.08"}
    played = Played()
    played.propose(side=side, **(low if side == "LONG" else high))
    played.propose("INCREASE", side=side, quantity="500")
    played.propose("REDUCE", side=side, quantity="200")
    played.quote(away)
    assert len(played.journal.fills) == 3
    played.quote(reached)
    fill = played.journal.fills[-1]
    assert (fill.verb, fill.quantity, fill.price) == (Verb.CLOSE, Decimal(1300), Decimal(reached))
    assert (played.account.positions, played.account.orders) == ({}, {})
    done, left = played.order(kind), played.order(other)
    assert (done.status, done.quantity) == (OrderStatus.FILLED, Decimal(1300))
    assert (left.status, left.outcome) == (OrderStatus.CANCELLED, {"reason": "POSITION_CLOSED"})
    assert played.kinds()[-3:] == [Kind.FILL, Kind.POSITION_CLOSED, Kind.ORDER_CANCELLED]
    assert played.account.unrealised == 0


CLOSED_ELSEWISE = ["by an action", "by force", "in parts"]


@pytest.mark.parametrize("how", CLOSED_ELSEWISE)
def test_both_are_cancelled_when_the_position_closes_otherwise(how: str) -> None:
    played = Played()
    played.propose(stop_loss="1.08", take_profit="1.12")
    played.propose(side="SHORT", stop_loss="1.12")
    if how == "by an action":
        played.propose("CLOSE", quantity=None)
    elif how == "in parts":
        played.propose("REDUCE", quantity="400")
        assert len(played.account.orders) == 3
        played.propose("REDUCE", quantity="600")
    else:
        at = played.account.positions
        played.account = replace(played.account, positions={k: v for k, v in at.items() if k[1] is Side.LONG})
        played.account = close_all(played.account, "FORCED", a_moment(played.market), conditions(), played.journal)
    assert [(o.type, o.side) for o in played.account.orders.values()] == [(STOP_LOSS, Side.SHORT)], "the other side's"
    ended = [o for o in played.journal.orders.values() if o.status is OrderStatus.CANCELLED]
    assert [(o.type, o.outcome) for o in ended] == [
        (STOP_LOSS, {"reason": "POSITION_CLOSED"}),
        (TAKE_PROFIT, {"reason": "POSITION_CLOSED"}),
    ]


def test_a_new_one_brought_by_an_increase_replaces_the_old() -> None:
    played = Played()
    played.propose(stop_loss="1.08", take_profit="1.12")
    played.propose("INCREASE", stop_loss="1.09")
    assert {(o.type, o.price, o.quantity) for o in played.account.orders.values()} == {
        (TAKE_PROFIT, Decimal("1.12"), Decimal(1000)),
        (STOP_LOSS, Decimal("1.09"), Decimal(2000)),
    }
    [old] = [o for o in played.journal.orders.values() if o.status is OrderStatus.CANCELLED]
    assert (old.price, old.outcome) == (Decimal("1.08"), {"reason": "REPLACED"})


SHUT: list[tuple[str, dict[str, Any]]] = [
    ("paused", {"status": AccountStatus.PAUSED}),
    ("locked", {"status": AccountStatus.LOCKED}),
    ("blocked for the day", {"blocked_until": NOON + timedelta(hours=9)}),
    ("read-only", {"read_only": True}),
    ("under a policy that forbids the side", {"policy": replace(FREE, long_allowed=False, symbols=("GBPUSD",))}),
]


@pytest.mark.parametrize("changes", [c[1] for c in SHUT], ids=[c[0] for c in SHUT])
def test_nothing_forbids_a_stop_loss_while_the_account_is(changes: dict[str, Any]) -> None:
    played = Played()
    played.propose(stop_loss="1.08")
    played.account = replace(played.account, **changes)
    played.quote("1.07")
    assert (played.account.positions, len(played.journal.fills)) == ({}, 2)


def test_what_a_fill_brings_to_life_looks_at_the_quotes_after_it() -> None:
    played = Played(replace(FREE, slippage=Slippage.BID_ASK))
    played.quote("1.1", spread="0.0012")
    assert played.propose(stop_loss="1.0999", take_profit="1.1001").fill
    played.propose(symbol="GBPUSD")
    played.quote("1.1", spread="0.0012")
    assert len(played.journal.fills) == 2, "an unchanged quote reaches neither"
    played.quote("1.31", "GBPUSD")
    assert len(played.journal.fills) == 2, "that is another instrument's"
    played.quote("1.1001", spread="0.0012")
    assert (played.journal.fills[-1].verb, played.journal.fills[-1].price) == (Verb.CLOSE, Decimal("1.1001"))


def test_an_entry_whose_stop_loss_lies_inside_the_spread_is_rejected_when_it_triggers() -> None:
    played = Played(replace(FREE, slippage=Slippage.BID_ASK))
    played.propose(order="STOP", price="1.11", stop_loss="1.1095")
    played.quote("1.109", spread="0.0012")
    assert (played.order(STOP).outcome["code"], played.journal.fills) == ("STOP_LOSS_SIDE", [])


def test_a_take_profit_that_wins_the_phase_cancels_what_is_left() -> None:
    played = Played(terms=a_phase_terms(profit_target=a_target("1")))
    played.propose(quantity="40000", take_profit="1.13", stop_loss="1.05")
    played.propose(side="SHORT", order="STOP", price="1.05", quantity="7")
    played.propose(symbol="GBPUSD", order="LIMIT", price="1.1")
    played.quote("1.13")
    assert [verdict.status for verdict in played.journal.verdicts] == [ChallengeStatus.PASSED]
    assert (played.account.orders, played.account.positions, played.account.live) == ({}, {}, False)
    ended = {o.type: o.outcome for o in played.journal.orders.values() if o.status is OrderStatus.CANCELLED}
    assert ended == {
        STOP_LOSS: {"reason": "POSITION_CLOSED"}, STOP: {"reason": "PHASE_ENDED"}, LIMIT: {"reason": "PHASE_ENDED"},
    }  # fmt: skip


def test_a_failed_phase_leaves_no_order_behind_and_fills_none_after_its_end() -> None:
    played = Played(a_policy(), a_phase_terms(daily_loss=a_limit("0.01")))
    played.propose(order="LIMIT", price="1.09", quantity="20000")
    played.propose(symbol="GBPUSD", order="LIMIT", price="1.2")
    played.propose(side="SHORT", order="STOP", price="1.05")
    at = NOON + 2 * SECOND
    played.batch(priced("EURUSD", "1.09", at), priced("GBPUSD", "1.1", at))
    assert [fill.symbol for fill in played.journal.fills] == ["EURUSD", "GBPUSD"], "one batch is judged once"
    assert [verdict.status for verdict in played.journal.verdicts] == [ChallengeStatus.FAILED]
    assert played.account.orders == {}
    assert played.order(STOP).outcome == {"reason": "PHASE_ENDED"}
    played.batch(priced("EURUSD", "1.2", at + SECOND))
    assert len(played.journal.fills) == 2


def test_a_liquidated_account_outside_a_challenge_keeps_no_orders() -> None:
    played = Played(replace(FREE, liquidation_pct=Decimal("99.9")))
    played.propose(quantity="10000", take_profit="1.2")
    played.propose(symbol="GBPUSD", order="LIMIT", price="1.2")
    played.quote("1.08")
    assert (played.journal.liquidations, played.account.orders, len(played.account.positions)) == ([1001], {}, 1)
    ended = [o for o in played.journal.orders.values() if o.status is OrderStatus.CANCELLED]
    assert [o.outcome for o in ended] == [{"reason": "LIQUIDATION"}] * 2


def test_working_orders_count_and_so_does_what_an_action_adds() -> None:
    played = Played(replace(FREE, orders_max=2))
    assert code(played.propose(order="LIMIT", price="1.09", stop_loss="1.08", take_profit="1.12")) is None
    assert code(played.propose(symbol="GBPUSD", order="LIMIT", price="1.2")) is None
    full = played.propose(symbol="GBPUSD", side="SHORT", order="LIMIT", price="1.4")
    assert full.refusal
    assert (full.refusal.code, full.refusal.limit, full.refusal.observed) == ("ORDERS_MAX", "2", "3")
    assert code(played.propose(symbol="GBPUSD", side="SHORT")) is None, "a market order adds none"
    assert code(played.propose("INCREASE", symbol="GBPUSD", side="SHORT", stop_loss="1.5")) == "ORDERS_MAX"
    played.quote("1.09")
    rejected = next(iter(played.journal.orders.values()))
    assert (rejected.status, rejected.outcome["code"]) == (OrderStatus.REJECTED, "ORDERS_MAX")
    assert rejected.outcome["observed"] == "3", "itself is gone by then"


def test_replacing_a_stop_loss_adds_no_order() -> None:
    played = Played(replace(FREE, orders_max=1))
    assert code(played.propose(stop_loss="1.08")) is None
    assert code(played.propose("INCREASE", stop_loss="1.09")) is None
    assert code(played.propose("INCREASE", take_profit="1.2")) == "ORDERS_MAX"
    assert len(played.account.orders) == 1


def test_an_order_is_cancelled_once_and_by_name() -> None:
    played = Played()
    first, second = (played.propose(order="LIMIT", price=price).order_seq for price in ("1.09", "1.08"))
    assert first
    assert second
    account = working_orders.cancel(played.account, [first], "a better idea", NOON, 1, played.journal)
    assert list(account.orders) == [second]
    cancelled = played.journal.orders[account.id, first]
    assert (cancelled.status, cancelled.ended_at, cancelled.outcome) == (
        OrderStatus.CANCELLED, NOON, {"reason": "a better idea"},
    )  # fmt: skip
    assert played.journal.rows[-1].facts == {"order": first, "reason": "a better idea"}
    with pytest.raises(KeyError):
        working_orders.cancel(account, [first], "again", NOON, 1, played.journal)
    with pytest.raises(InvalidTransition):
        working_orders.cancel(replace(account, orders={first: cancelled}), None, "again", NOON, 1, played.journal)
    assert working_orders.cancel(account, None, "all", NOON, 1, played.journal).orders == {}


def test_every_row_of_an_order_s_life_is_chained_and_moves_cash_only_when_it_is_filled() -> None:
    played = Played(a_policy())
    played.propose(order="LIMIT", price="1.09", stop_loss="1.08", take_profit="1.12")
    for price in ("1.09", "1.085", "1.08", "1.2"):
        played.quote(price)
    assert played.kinds() == [
        Kind.ACTION_ACCEPTED, Kind.ORDER_PLACED,
        Kind.FILL, Kind.POSITION_OPENED, Kind.ORDER_PLACED, Kind.ORDER_PLACED,
        Kind.FILL, Kind.POSITION_CLOSED, Kind.ORDER_CANCELLED,
    ]  # fmt: skip
    rows = played.journal.rows
    assert [row.seq for row in rows] == list(range(2, played.account.seq + 1))
    assert [row.kind for row in rows if row.amount] == [Kind.FILL, Kind.FILL]
    assert played.account.cash == 100_000 - Decimal(10) - Decimal("1.09") - Decimal("1.08")
