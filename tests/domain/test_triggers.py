"""Working entries at each batch in order: filled at the quote, refused by a gate, or left working."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.accounts import Journal
from domain.fold import catch_up
from domain.ledger import Kind
from domain.lifecycles import AccountStatus, ActionStatus, ChallengeStatus, OrderStatus
from domain.orders import OrderType, Verb
from domain.rule_table import Rule
from domain.terms import Measured, Slippage, Trail
from tests.domain.builders import INITIAL, NOON, a_batch, a_limit, a_phase_terms, a_policy, a_target, a_total_limit
from tests.domain.desk_builders import a_market, conditions, priced, tapes, traders
from tests.domain.played import FREE, SECOND, Played

LIMIT, STOP = OrderType.LIMIT, OrderType.STOP


def test_an_entry_away_from_the_market_rests_and_touches_no_money() -> None:
    played = Played(a_policy())
    result = played.propose(order="LIMIT", price="1.09", stop_loss="1.08", take_profit="1.12")
    assert (result.status, result.fill, result.order_seq) == (ActionStatus.WORKING, None, 3)
    assert played.kinds() == [Kind.ACTION_ACCEPTED, Kind.ORDER_PLACED]
    assert played.journal.rows[1].facts == {
        "symbol": "EURUSD", "side": "LONG", "verb": "OPEN", "quantity": "1000", "reason": "ACTION", "type": "LIMIT",
        "price": "1.09", "stop_loss": "1.08", "take_profit": "1.12",
    }  # fmt: skip
    assert played.account.orders == {3: result.order}
    assert played.account.cash == 100_000
    assert (played.account.positions, played.account.live) == ({}, True)


# side, order, its price, quotes that leave it alone, the one that reaches it
ENTRIES = [
    ("LONG", "LIMIT", "1.09", ["1.0901", "1.11"], "1.09"),
    ("LONG", "LIMIT", "1.09", ["1.0901"], "1.07"),
    ("LONG", "STOP", "1.11", ["1.1099", "1.05"], "1.11"),
    ("LONG", "STOP", "1.11", ["1.1099"], "1.13"),
    ("SHORT", "LIMIT", "1.11", ["1.1099", "1.05"], "1.11"),
    ("SHORT", "LIMIT", "1.11", ["1.1099"], "1.13"),
    ("SHORT", "STOP", "1.09", ["1.0901", "1.15"], "1.09"),
    ("SHORT", "STOP", "1.09", ["1.0901"], "1.07"),
]


@pytest.mark.parametrize(("side", "order", "price", "before", "reached"), ENTRIES)
def test_an_entry_is_filled_by_the_first_quote_at_its_price_or_beyond(
    side: str, order: str, price: str, before: Sequence[str], reached: str
) -> None:
    played = Played()
    placed = played.propose(side=side, order=order, price=price)
    for quote in before:
        played.quote(quote)
    assert played.journal.fills == []
    played.quote(reached)
    [fill] = played.journal.fills
    assert (fill.price, fill.order_seq, fill.batch, fill.quantity) == (
        Decimal(reached),
        placed.order_seq,
        played.number,
        Decimal(1000),
    )
    filled = played.order(OrderType(order))
    assert (filled.status, filled.ended_at, filled.price) == (OrderStatus.FILLED, fill.filled_at, Decimal(price))
    assert played.account.orders == {}
    assert [held.quantity for held in played.account.positions.values()] == [1000]
    assert played.kinds()[-2:] == [Kind.FILL, Kind.POSITION_OPENED]
    played.quote(reached)
    assert len(played.journal.fills) == 1, "filled once"


def test_a_price_that_is_there_already_is_filled_at_once_at_the_quote() -> None:
    for side, order, price in (("LONG", "LIMIT", "1.1"), ("LONG", "STOP", "1.05"), ("SHORT", "LIMIT", "1.02")):
        played = Played()
        result = played.propose(side=side, order=order, price=price)
        assert result.status is ActionStatus.EXECUTED
        assert result.fill
        assert (result.fill.price, played.account.orders) == (Decimal("1.1"), {})
        assert result.order
        assert (result.order.type, result.order.price) == (OrderType(order), Decimal(price))


@pytest.mark.parametrize(
    ("side", "order", "bid"),
    [("LONG", "LIMIT", "1.0898"), ("SHORT", "STOP", "1.09"), ("LONG", "STOP", "1.0898"), ("SHORT", "LIMIT", "1.09")],
)
def test_buys_are_reached_by_the_ask_and_sells_by_the_bid(side: str, order: str, bid: str) -> None:
    """The order stands at 1.09; the spread is 0.0002."""
    falls = (side == "LONG") == (order == "LIMIT")
    away = "1.0899" if falls and side == "LONG" else "1.0901" if falls else "1.0897" if side == "LONG" else "1.0899"
    played = Played(replace(FREE, slippage=Slippage.BID_ASK))
    played.quote("1.1" if falls else "1.08", spread="0.0002")
    assert played.propose(side=side, order=order, price="1.09").status is ActionStatus.WORKING
    played.quote(away, spread="0.0002")
    assert played.journal.fills == []
    played.quote(bid, spread="0.0002")
    assert [fill.price for fill in played.journal.fills] == [Decimal("1.09")]


def test_a_notional_becomes_a_quantity_at_the_order_s_own_price_when_it_is_placed() -> None:
    played = Played()
    played.propose(quantity=None, notional="2000", order="LIMIT", price="1")
    assert played.order(LIMIT).quantity == 2000
    played.quote("0.5")
    assert played.journal.fills[0].quantity == 2000


def test_orders_are_filled_in_the_order_they_were_placed() -> None:
    played = Played(replace(FREE, positions_max=2))
    played.propose(order="LIMIT", price="1.08")
    played.propose(symbol="GBPUSD", order="LIMIT", price="1.2")
    played.propose(side="SHORT", order="STOP", price="1.09")
    played.batch(priced("EURUSD", "1.07", NOON + 2 * SECOND), priced("GBPUSD", "1.1", NOON + 2 * SECOND))
    assert [(fill.symbol, fill.side) for fill in played.journal.fills] == [("EURUSD", "LONG"), ("GBPUSD", "LONG")]
    assert played.orders()[-1] == (STOP, OrderStatus.REJECTED)
    assert played.order(STOP).outcome["code"] == "POSITIONS_MAX"


def test_orders_that_lower_exposure_are_filled_before_entries() -> None:
    played = Played(replace(FREE, positions_max=1))
    played.propose(symbol="GBPUSD", order="LIMIT", price="1.29")
    played.account = replace(played.account, policy=replace(played.account.policy, positions_max=1))
    played.propose(stop_loss="1.09")
    played.batch(priced("EURUSD", "1.08", NOON + 2 * SECOND), priced("GBPUSD", "1.28", NOON + 2 * SECOND))
    assert [(fill.symbol, fill.verb) for fill in played.journal.fills[1:]] == [
        ("EURUSD", Verb.CLOSE), ("GBPUSD", Verb.OPEN)
    ]  # fmt: skip


WINNER = {"symbol": "EURUSD", "take_profit": "1.13"}
LOSER = {"symbol": "GBPUSD", "stop_loss": "1.21"}


@pytest.mark.parametrize("actions", [(WINNER, LOSER), (LOSER, WINNER)], ids=["winner first", "loser first"])
@pytest.mark.parametrize("trail", Trail)
def test_fail_beats_pass_whatever_the_order_of_the_orders(actions: Sequence[dict[str, Any]], trail: Trail) -> None:
    """One batch takes a profit of 3,000 and a loss of 10,000: the challenge fails at 93,000."""
    terms = a_phase_terms(
        daily_loss=a_limit("5", measured=Measured.BALANCE),
        total_loss=a_total_limit("50", measured=Measured.BALANCE, trail=trail),
        profit_target=a_target("2", measured=Measured.BALANCE),
    )
    played = Played(replace(FREE, notional_max=Decimal(200_000), position_equity_pct_max=Decimal(200)), terms=terms)
    played.batch(priced("GBPUSD", "1.3", NOON + 2 * SECOND))
    for action in actions:
        assert played.propose(quantity="100000", **action).fill
    at = NOON + 3 * SECOND
    played.batch(priced("EURUSD", "1.13", at), priced("GBPUSD", "1.2", at))
    [verdict] = played.journal.verdicts
    assert (verdict.status, verdict.rule) == (ChallengeStatus.FAILED, Rule.MAX_DAILY_LOSS)
    assert played.account.cash == 93_000
    assert played.account.phase
    assert played.account.phase.peak_balance == INITIAL, "no balance between the fills is a peak"


@settings(max_examples=40)
@given(st.data())
def test_what_a_batch_comes_to_does_not_depend_on_which_protection_was_placed_first(data: st.DataObject) -> None:
    account, terms = data.draw(traders(orders=True))
    orders = [order for order in account.orders.values() if order.type.protects]
    seqs = data.draw(st.permutations([order.seq for order in orders]))
    renamed = {seq: replace(order, seq=seq) for seq, order in zip(seqs, orders, strict=True)}
    outcomes = []
    tape = data.draw(tapes())
    for working in ({order.seq: order for order in orders}, renamed):
        journal = Journal()
        after = catch_up(replace(account, orders=working), a_market(), tape, conditions(terms), journal)
        findings = [(finding.rule, finding.observed, finding.floor, finding.batch) for finding in journal.findings]
        figures = after.cash, after.equity, after.high_watermark, after.phase, after.read_only
        outcomes.append((figures, findings, [(v.status, v.rule, v.batch) for v in journal.verdicts]))
    assert outcomes[0] == outcomes[1]


def test_a_gate_that_stops_a_triggered_order_is_kept_with_its_limit_and_the_quote() -> None:
    played = Played(replace(FREE, notional_max=Decimal(1100)))
    placed = played.propose(order="LIMIT", price="1.09")
    played.propose(side="SHORT")
    played.account = replace(played.account, policy=replace(played.account.policy, notional_max=Decimal(1000)))
    played.quote("1.08", spread="0.0002")
    order = played.order(LIMIT)
    assert (order.status, order.ended_at) == (OrderStatus.REJECTED, played.account.marked_at)
    assert order.outcome == {
        "code": "NOTIONAL_MAX", "limit": "1000", "observed": "1080.1", "bid": "1.08", "ask": "1.0802",
        "source_time": (NOON + 2 * SECOND).isoformat(),
    }  # fmt: skip
    [told] = [row.facts for row in played.journal.rows if row.kind is Kind.ORDER_REJECTED]
    assert told == {"order": placed.order_seq} | order.outcome
    assert (len(played.journal.fills), played.account.orders) == (1, {})


STOPPED: list[tuple[str, str, dict[str, Any]]] = [
    ("a paused account", "ACCOUNT_NOT_OPEN", {"status": AccountStatus.PAUSED}),
    ("a day's pause", "ACCOUNT_NOT_OPEN", {"blocked_until": NOON + timedelta(hours=1)}),
    ("what is open already", "POSITION_EXISTS", {}),
]


@pytest.mark.parametrize(("refusal", "changes"), [c[1:] for c in STOPPED], ids=[c[0] for c in STOPPED])
def test_an_entry_is_gated_again_when_it_triggers(refusal: str, changes: dict[str, Any]) -> None:
    played = Played()
    played.propose(order="LIMIT", price="1.09")
    if not changes:
        played.propose()
    played.account = replace(played.account, **changes)
    played.quote("1.09")
    assert played.order(LIMIT).outcome["code"] == refusal


def test_an_increase_of_what_has_closed_meanwhile_is_rejected() -> None:
    played = Played()
    played.propose()
    played.propose("INCREASE", order="STOP", price="1.11")
    played.propose("CLOSE", quantity=None)
    played.quote("1.12")
    assert played.order(STOP).outcome["code"] == "NO_POSITION"


def test_a_gap_beyond_the_stop_loss_rejects_the_entry() -> None:
    played = Played()
    played.propose(order="LIMIT", price="1.09", stop_loss="1.08")
    played.quote("1.07")
    assert (played.order(LIMIT).outcome["code"], played.journal.fills) == ("STOP_LOSS_SIDE", [])


def test_an_order_waits_for_a_quote_and_a_rate_that_can_be_dealt_on() -> None:
    old = timedelta(seconds=62)
    played = Played()
    played.propose(order="LIMIT", price="1.09")
    played.quote("1.08", after=old)
    assert played.orders() == [(LIMIT, OrderStatus.WORKING)]
    played.quote("1.085")
    assert [fill.price for fill in played.journal.fills] == [Decimal("1.085")]

    played = Played(currency="EUR")  # GBPUSD converts by EURUSD
    placed = played.propose(symbol="GBPUSD", order="LIMIT", price="1.2")
    assert placed.status is ActionStatus.WORKING
    at = NOON + 100 * SECOND
    played.batch(priced("GBPUSD", "1.1", at), at=at)
    assert played.journal.fills == [], "its rate is stale"
    played.batch(priced("EURUSD", "1.1", at), at=at)
    assert [fill.price for fill in played.journal.fills] == [Decimal("1.1")], "the rate came, its own quote is fresh"


def test_a_triggered_fill_counts_as_trading_and_is_judged_at_once() -> None:
    terms = a_phase_terms(profit_target=a_target("1"), min_trading_days=2)
    played = Played(terms=terms)
    played.propose(order="LIMIT", price="1.09")
    played.quote("1.09")
    assert played.account.phase
    assert (played.account.phase.days_traded, played.account.phase.day_traded) == (1, True)


def test_an_account_with_nothing_but_an_order_is_followed_through_the_quotes() -> None:
    played = Played()
    played.propose(order="LIMIT", price="1.09")
    assert played.account.live
    played.account = catch_up(
        played.account, played.market, [a_batch(2), a_batch(3, priced("EURUSD", "1.08", NOON + 3 * SECOND))],
        conditions(), played.journal,
    )  # fmt: skip
    assert [fill.batch for fill in played.journal.fills] == [3]
