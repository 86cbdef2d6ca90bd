"""The decision context promises exactly what the gates let through."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.accounts import Account, Journal
from domain.decision_context import DecisionContext, LargestOrder, boundary, build_context, largest_order
from domain.execution import Moment, submit
from domain.gates import GateUnit
from domain.lifecycles import AccountStatus, ActionStatus, ChallengeStatus
from domain.money import plain
from domain.orders import Action, Verb
from domain.positions import Side
from domain.rule_table import Rule
from domain.snapshots import snapshot
from domain.terms import PhaseTerms, Slippage
from tests.domain.builders import NOON, a_challenger, a_phase_terms, a_policy, an_account, an_order
from tests.domain.desk_builders import (
    BASE,
    CATALOGUE,
    a_holding,
    a_market,
    a_moment,
    conditions,
    holding,
    priced,
    traders,
)

WITHOUT_POUNDS = {symbol: quote for symbol, quote in a_market().items() if "GBP" not in symbol}


def a_context(
    account: Account,
    terms: PhaseTerms | None = None,
    symbols: Sequence[str] | None = None,
    moment: Moment | None = None,
) -> DecisionContext:
    moment = moment or a_moment()
    now = snapshot(account, moment, CATALOGUE, seq=account.seq, head=account.head)
    return build_context(now, moment, conditions(terms), symbols)


def dealt(account: Account, terms: PhaseTerms | None, size: LargestOrder, symbol: str, **asked: str) -> Decimal | None:
    """How much submitting it deals; None where it is refused."""
    action = Action("r", "a", size.verb, symbol, size.side, **asked)
    _, [result] = submit(account, [action], {}, a_moment(), conditions(terms), Journal())
    assert (result.status is ActionStatus.EXECUTED) == (result.fill is not None)
    return result.fill.quantity if result.fill else None


loose = st.builds(
    a_policy,
    notional_max=st.sampled_from([Decimal(50_000), Decimal(10**7)]),
    leverage_max=st.sampled_from([Decimal(1), Decimal(5), Decimal(30)]),
    position_equity_pct_max=st.sampled_from([Decimal(50), Decimal(10_000)]),
    fee_bps=st.sampled_from([Decimal(0), Decimal(10), Decimal(250)]),
    slippage=st.sampled_from(Slippage),
)


@settings(max_examples=150)
@given(traders(), loose, st.sampled_from(list(BASE)), st.sampled_from(Side))
def test_the_largest_order_passes_and_a_step_more_is_refused(
    trader: tuple[Account, PhaseTerms | None], policy: Any, symbol: str, side: Side
) -> None:
    account, terms = replace(trader[0], policy=policy), trader[1]
    size = largest_order(account, symbol, side, a_moment(), conditions(terms))
    step = CATALOGUE.instruments[symbol].quantity_step
    assert dealt(account, terms, size, symbol, quantity=plain(size.quantity + step)) is None
    if size.quantity:
        assert dealt(account, terms, size, symbol, quantity=plain(size.quantity)) == size.quantity
        assert dealt(account, terms, size, symbol, notional=plain(size.notional)) == size.quantity
    else:
        assert size.notional == 0


@given(st.integers(1, 500), st.integers(0, 500), st.integers(1, 2_000))
def test_the_boundary_is_found_from_any_guess(least: int, room: int, guess: int) -> None:
    assert boundary(lambda number: number <= least + room, least, max(least, guess)) == least + room


def test_the_refusal_names_what_stops_one_step_more() -> None:
    account = an_account(policy=a_policy(notional_max=Decimal(11_000)))
    size = largest_order(account, "EURUSD", Side.LONG, a_moment(), conditions())
    assert (size.verb, size.refusal.code, size.quantity) == (Verb.OPEN, "NOTIONAL_MAX", Decimal("9999.54"))


def test_a_side_that_is_open_is_increased() -> None:
    account = holding(an_account(), a_holding("EURUSD", Side.LONG, "10000"))
    sizes = {size.side: size for size in a_context(account, symbols=["EURUSD"]).instruments[0].sizes}
    assert (sizes[Side.LONG].verb, sizes[Side.SHORT].verb) == (Verb.INCREASE, Verb.OPEN)
    assert sizes[Side.LONG].quantity < sizes[Side.SHORT].quantity


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"status": AccountStatus.PAUSED}, "ACCOUNT_NOT_OPEN"),
        ({"status": AccountStatus.COMPLETED, "read_only": True}, "ACCOUNT_NOT_OPEN"),
        ({"blocked_until": NOON + timedelta(hours=1)}, "ACCOUNT_NOT_OPEN"),
        ({"policy": a_policy(symbols=("GBPUSD",))}, "ASSET_NOT_ALLOWED"),
        ({"policy": a_policy(long_allowed=False)}, "DIRECTION_NOT_ALLOWED"),
        ({"policy": a_policy(positions_max=0)}, "POSITIONS_MAX"),
        ({"currency": "CHF"}, "RATE_MISSING"),
    ],
)
def test_where_nothing_passes_the_gate_is_named(changes: dict[str, Any], code: str) -> None:
    size = largest_order(an_account(**changes), "EURUSD", Side.LONG, a_moment(), conditions())
    assert size.refusal.code == code
    assert size.quantity == size.notional == 0


def test_an_instrument_without_a_fresh_quote_says_so() -> None:
    stale = a_moment(WITHOUT_POUNDS, NOON + timedelta(seconds=61))
    found = {
        one.symbol: one for one in a_context(an_account(), None, ["EURUSD", "GBPUSD", "NOSUCH"], stale).instruments
    }
    euro, pound, none = found["EURUSD"], found["GBPUSD"], found["NOSUCH"]
    assert (euro.quote_age_seconds, euro.stale, euro.sizes[0].refusal.code) == (61, True, "PRICE_STALE")
    assert (pound.quote, pound.quote_age_seconds, pound.sizes[0].refusal.code) == (None, None, "PRICE_MISSING")
    assert none.sizes[0].refusal.code == "ASSET_NOT_ALLOWED"


def test_the_instruments_are_those_of_the_policy_or_those_asked_for() -> None:
    narrowed = an_account(policy=a_policy(symbols=("GBPUSD", "EURUSD")))
    assert [one.symbol for one in a_context(narrowed).instruments] == ["EURUSD", "GBPUSD"]
    assert [one.symbol for one in a_context(narrowed, symbols=["GBPUSD", "GBPUSD"]).instruments] == ["GBPUSD"]
    assert {one.symbol for one in a_context(an_account()).instruments} == set(BASE)


def refusals(account: Account, terms: PhaseTerms | None = None) -> dict[Verb, str | None]:
    found = a_context(account, terms, []).permissions
    return {one.verb: one.refusal.code if one.refusal else None for one in found}


def test_permissions_say_what_may_be_done_at_all() -> None:
    flat, trader = an_account(), holding(an_account(), a_holding("EURUSD", Side.LONG, "10000"))
    nothing = "NO_POSITION"
    assert refusals(flat) == {Verb.OPEN: None} | dict.fromkeys(set(Verb) - {Verb.OPEN}, nothing)
    assert set(refusals(trader).values()) == {None}
    assert set(refusals(replace(trader, status=AccountStatus.LOCKED)).values()) == {"ACCOUNT_NOT_OPEN"}
    assert set(refusals(replace(trader, read_only=True)).values()) == {"ACCOUNT_NOT_OPEN"}


def test_a_blocked_day_still_lets_exposure_be_lowered() -> None:
    blocked = an_account(blocked_until=NOON + timedelta(hours=1))
    found = refusals(holding(blocked, a_holding("EURUSD", Side.LONG, "10000")))
    closed = "ACCOUNT_NOT_OPEN"
    assert found == {Verb.OPEN: closed, Verb.INCREASE: closed, Verb.REDUCE: None, Verb.CLOSE: None, Verb.PROTECT: None}


def test_nothing_is_permitted_once_the_phase_has_ended() -> None:
    ended = a_challenger(status=ChallengeStatus.PASSED)
    assert set(refusals(ended, a_phase_terms()).values()) == {"ACCOUNT_NOT_OPEN"}


def test_the_smaller_limit_of_policy_and_phase_bounds_the_positions() -> None:
    account = holding(a_challenger(), a_holding("EURUSD", Side.LONG, "100"), a_holding("EURUSD", Side.SHORT, "100"))
    found = a_context(account, a_phase_terms(max_positions=2), [])
    assert {one.code: [one.limit, one.taken, one.left] for one in found.gate_headrooms}["POSITIONS_MAX"] == [2, 2, 0]
    assert found.permissions[0].refusal
    assert found.permissions[0].refusal.code == "POSITIONS_MAX"


def test_every_gate_that_limits_exposure_tells_what_it_has_left() -> None:
    market = a_market() | {"EURUSD": priced("EURUSD", "1.2"), "GBPUSD": priced("GBPUSD", "1.5")}
    held = (a_holding("EURUSD", Side.LONG, "10000"), a_holding("GBPUSD", Side.SHORT, "4000"))
    account = replace(holding(an_account(), *held, market=market), orders={3: an_order()})
    found = a_context(account, moment=a_moment(market), symbols=[])
    equity = account.equity
    rooms: list[tuple[object, ...]] = [(one.code, one.unit, one.limit, one.taken) for one in found.gate_headrooms]
    assert rooms == [
        ("NOTIONAL_MAX", GateUnit.MONEY, 50_000, 12_000),
        ("LEVERAGE_MAX", GateUnit.MONEY, 5 * equity, 12_000),
        ("AGGREGATE_LEVERAGE_MAX", GateUnit.MONEY, 5 * equity, 18_000),
        ("POSITION_EQUITY_MAX", GateUnit.MONEY, equity / 2, 12_000),
        ("INSUFFICIENT_MARGIN", GateUnit.MONEY, 100_000, 3_600),
        ("POSITIONS_MAX", GateUnit.COUNT, 5, 2),
        ("ORDERS_MAX", GateUnit.COUNT, 10, 1),
    ]
    assert found.gate_headrooms[2].left == 5 * equity - 18_000


def test_the_rules_tell_the_distance_to_each_level() -> None:
    account = a_challenger("99000", "98000")
    found = {one.rule: one for one in a_context(account, a_phase_terms(), []).rules}
    daily = found[Rule.MAX_DAILY_LOSS]
    assert [daily.level, daily.measured, daily.headroom, daily.used] == [95_000, 98_000, 3_000, Decimal("0.4")]
    assert found[Rule.PROFIT_TARGET].headroom == 108_000 - 98_000


def test_an_account_without_a_challenge_has_its_liquidation_level() -> None:
    [only] = a_context(an_account(cash=Decimal(80_000)), symbols=[]).rules
    assert only.rule is Rule.LIQUIDATION
    assert [only.level, only.headroom, only.used] == [50_000, 30_000, Decimal("0.4")]
    assert a_context(an_account(policy=a_policy(liquidation_pct=Decimal(0))), symbols=[]).rules == ()


def test_the_sides_are_those_the_policy_allows() -> None:
    assert a_context(an_account(), symbols=[]).sides == (Side.LONG, Side.SHORT)
    neither = an_account(policy=a_policy(long_allowed=False, short_allowed=False))
    assert a_context(neither, symbols=[]).sides == ()
    assert refusals(neither)[Verb.OPEN] == "DIRECTION_NOT_ALLOWED"
