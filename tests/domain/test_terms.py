"""Frozen terms: one text, one hash, and the same terms back."""

import json
from datetime import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.terms import (
    Consequence,
    Limit,
    Measured,
    PercentOf,
    PhaseTerms,
    Policy,
    Reference,
    Slippage,
    Terms,
    Touch,
    Trail,
    fingerprint,
    limit_facts,
    limit_from_data,
    policy_from_text,
    terms_from_text,
    to_text,
)
from tests.domain.builders import a_funded_phase, a_limit, a_phase_terms, a_policy, a_program, a_total_limit

percents = st.decimals(0, 100, places=4)
amounts = st.decimals(0, 10**9, places=8)
limits = st.builds(
    Limit,
    pct=percents,
    amount=st.none() | amounts,
    reference=st.sampled_from(Reference),
    percent_of=st.sampled_from(PercentOf),
    measured=st.sampled_from(Measured),
    trail=st.sampled_from(Trail),
    lock_at=st.none() | amounts,
    touch=st.sampled_from(Touch),
    consequence=st.sampled_from(Consequence),
)
phases = st.builds(
    a_phase_terms, name=st.text(max_size=10), daily_loss=limits, profit_target=limits, duration_days=st.integers(0, 99)
)
programs = st.builds(
    a_program,
    name=st.text(max_size=10),
    price=amounts,
    day_start=st.times(),
    phases=st.lists(phases, min_size=1, max_size=2).map(tuple),
)


@given(programs)
def test_terms_come_back_as_they_were_frozen(terms: Terms) -> None:
    text = to_text(terms)
    back = terms_from_text(text)
    assert back == terms
    assert to_text(back) == text


@pytest.mark.parametrize("name", ["leverage_max", "notional_max", "fee_bps", "liquidation_pct"])
def test_a_policy_comes_back_as_it_was_frozen(name: str) -> None:
    policy = a_policy(**{name: Decimal("12.5")}, symbols=("EURUSD", "BTCUSD"), slippage=Slippage.BID_ASK)
    assert policy_from_text(to_text(policy)) == policy


def test_what_a_policy_leaves_out_takes_its_default() -> None:
    assert policy_from_text('{"fee_bps":"7"}') == a_policy(fee_bps=Decimal(7))


def test_the_default_policy_is_the_source_s() -> None:
    policy = Policy()
    amounts = [
        policy.leverage_max,
        policy.notional_max,
        policy.fee_bps,
        policy.liquidation_pct,
        policy.position_equity_pct_max,
    ]
    assert amounts == [5, 50_000, 10, 50, 50]
    assert (policy.positions_max, policy.orders_max, policy.quote_age_seconds_max) == (5, 10, 60)
    assert policy.long_allowed
    assert policy.short_allowed
    assert policy.slippage is Slippage.MID_PRICE


def test_amounts_written_otherwise_freeze_to_the_same_text() -> None:
    one, other = a_program(price=Decimal("499.00")), a_program(price=Decimal("4.99E+2"))
    assert to_text(one) == to_text(other)
    assert fingerprint(to_text(one)) == fingerprint(to_text(other))


def test_any_change_of_terms_changes_the_fingerprint() -> None:
    frozen = fingerprint(to_text(a_program()))
    assert len(frozen) == 64
    changed = (
        a_program(program_version=2),
        a_program(day_start=time(17)),
        a_program(phases=(a_phase_terms(daily_loss=a_limit("4.99999999")), a_funded_phase())),
        a_program(phases=(a_phase_terms(), a_funded_phase(profit_split=Decimal("0.9")))),
    )
    assert frozen not in [fingerprint(to_text(terms)) for terms in changed]


def test_a_field_that_came_later_is_left_out_while_it_has_its_default() -> None:
    sold = to_text(a_program())
    assert "trail_by" not in sold
    trailing = a_total_limit("4", trail=Trail.TRAIL_END_OF_DAY, trail_by=Reference.HIGHER)
    using = to_text(a_program(phases=(a_phase_terms(total_loss=trailing),)))
    assert '"trail_by":"HIGHER"' in using
    assert terms_from_text(using).phase(1).total_loss == trailing
    assert limit_facts(a_limit("4"))["trail_by"] == "BALANCE"  # evidence names every axis


def test_frozen_terms_do_not_need_fields_that_came_later() -> None:
    data = json.loads(to_text(a_program()))
    del data["phases"][0]["inactivity_days"]
    assert terms_from_text(json.dumps(data)) == a_program()


def test_a_limit_takes_the_axes_it_does_not_name_from_its_default() -> None:
    default = a_total_limit("10", trail=Trail.TRAIL_END_OF_DAY)
    named = limit_from_data({"pct": "6", "lock_at": "0"}, default)
    assert named == a_total_limit("6", trail=Trail.TRAIL_END_OF_DAY, lock_at=Decimal(0))


def test_the_defaults_of_each_limit_are_the_design_s() -> None:
    terms = PhaseTerms(1, a_phase_terms().type, "Bare", a_phase_terms().group)
    assert (terms.daily_loss.reference, terms.daily_loss.percent_of) == (Reference.EQUITY, PercentOf.REFERENCE)
    assert (terms.total_loss.trail, terms.total_loss.percent_of) == (Trail.STATIC, PercentOf.INITIAL)
    assert (terms.profit_target.measured, terms.profit_target.touch) == (Measured.LOWER, Touch.REACHED)
    for limit in (terms.daily_loss, terms.total_loss, terms.daily_profit):
        assert (limit.measured, limit.touch) == (Measured.EQUITY, Touch.BEYOND)
        assert (limit.consequence, limit.lock_at, limit.configured) == (Consequence.FAIL, None, False)


def test_what_a_phase_does_not_name_is_not_configured() -> None:
    terms = PhaseTerms(1, a_phase_terms().type, "Bare", a_phase_terms().group)
    counts = [terms.duration_days, terms.min_trading_days, terms.max_trading_days, terms.max_positions]
    assert [*counts, terms.profitable_days, terms.inactivity_days] == [0] * 6
    assert [terms.best_day_pct, terms.profitable_day_pct, terms.profit_split] == [Decimal(0)] * 3


CONFIGURED = [(a_limit(), False), (a_limit("0.01"), True), (a_limit(amount=Decimal(0)), True)]


@pytest.mark.parametrize(("limit", "configured"), CONFIGURED)
def test_a_limit_of_nothing_is_not_configured(limit: Limit, configured: bool) -> None:
    assert limit.configured is configured


def test_phases_are_counted_from_one() -> None:
    assert a_program().phase(1).name == "Evaluation"
    assert a_program().phase(2).name == "Funded"
