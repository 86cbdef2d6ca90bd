"""Distance to the limits: the shard's thresholds miss no verdict, and the progress shows the same figures."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from domain.accounts import Account
from domain.days import observe
from domain.lifecycles import ChallengeStatus
from domain.limit_progress import ALWAYS, EquityThresholds, equity_thresholds, progress
from domain.rule_table import Rule
from domain.rules import is_between, judge, passes, warn
from domain.terms import Consequence, Limit, Measured, PercentOf, PhaseTerms, PhaseType, Reference, Touch, Trail
from tests.domain.builders import (
    INITIAL,
    NOON,
    a_challenger,
    a_funded_phase,
    a_limit,
    a_phase_run,
    a_phase_terms,
    a_policy,
    a_target,
    a_total_limit,
    an_account,
)

LATER = NOON + timedelta(hours=3)
BALANCE, LOWER = Measured.BALANCE, Measured.LOWER

# Few round values, so that levels are met exactly often enough.
money = st.integers(40, 130).map(lambda thousands: Decimal(thousands * 1000))
near = st.builds(
    lambda amount, hair: amount + hair, money, st.sampled_from([Decimal(0), Decimal("1e-8"), Decimal("-1e-8")])
)
limits = st.builds(
    Limit,
    pct=st.sampled_from([Decimal(0), Decimal(5), Decimal(10), Decimal("33.3333")]),
    amount=st.none() | st.sampled_from([Decimal(0), Decimal(2000), Decimal(9000)]),
    reference=st.sampled_from(Reference),
    percent_of=st.sampled_from(PercentOf),
    measured=st.sampled_from(Measured),
    trail=st.sampled_from(Trail),
    lock_at=st.none() | st.sampled_from([Decimal(0), Decimal(1000), Decimal(-5000)]),
    touch=st.sampled_from(Touch),
    consequence=st.sampled_from(Consequence),
)
phases = st.builds(
    a_phase_terms,
    type=st.sampled_from(PhaseType),
    daily_loss=limits,
    total_loss=limits,
    daily_profit=limits,
    profit_target=limits,
    min_trading_days=st.integers(0, 2),
    best_day_pct=st.sampled_from([Decimal(0), Decimal(40), Decimal(100)]),
    profitable_days=st.integers(0, 2),
    warn_at=st.sampled_from([(), (Decimal("0.5"),), (Decimal("0.5"), Decimal("0.9"))]),
)
TOLD = ["MAX_DAILY_LOSS", "MAX_TOTAL_LOSS", "MAX_DAILY_PROFIT", "MAX_DAILY_LOSS@0.5", "MAX_TOTAL_LOSS@0.5"]
runs = st.builds(
    a_phase_run,
    day_start_balance=money,
    day_start_equity=money,
    peak_equity=money,
    peak_balance=money,
    peak_end_of_day=money,
    days_traded=st.integers(0, 2),
    days_profitable=st.integers(0, 2),
    best_day_profit=st.sampled_from([Decimal(0), Decimal(3000)]),
    day_findings=st.sets(st.sampled_from(TOLD)).map(frozenset),
)


def looked_at(bounds: EquityThresholds, known: Account, equity: Decimal) -> bool:
    """What the book does with an account's thresholds at a new equity."""
    assert known.phase is not None
    low = bounds.low is not None and equity <= bounds.low
    high = bounds.high is not None and equity >= bounds.high
    return low or high or (bounds.new_peak and equity > known.phase.peak_equity)


@settings(max_examples=250)
@given(phases, runs, near, near, near)
def test_thresholds_never_miss_a_verdict(
    terms: PhaseTerms, run: Any, cash: Decimal, equity: Decimal, later: Decimal
) -> None:
    known = observe(an_account(cash=cash, unrealised=equity - cash, phase=run))
    marked = observe(replace(known, unrealised=later - cash))
    ended = bool(judge(marked, terms, 5, LATER)) or passes(marked, terms)
    assert not (ended and is_between(marked, terms)), "between all levels nothing is broken, and nothing won"
    verdict = ended or bool(warn(marked, terms, 5, LATER))
    seen = looked_at(equity_thresholds(known, terms), known, later)
    event(f"verdict {verdict}, looked at {seen}")
    assert seen or not verdict


def bare(**changes: Any) -> PhaseTerms:
    none = {"daily_loss": a_limit(), "total_loss": a_total_limit(), "profit_target": a_target("0")}
    return a_phase_terms(**none | changes)


TRAILING = a_total_limit("10", trail=Trail.TRAIL_INTRADAY, lock_at=Decimal(0))
LIQUIDATED = Decimal(50_000)
EARLY, FOUR_FIFTHS = (Decimal("0.8"),), Decimal(96_000)
BOUNDS: list[tuple[str, PhaseTerms, Account, EquityThresholds]] = [
    ("liquidation only", bare(), a_challenger(), EquityThresholds(LIQUIDATED)),
    ("the highest floor", a_phase_terms(), a_challenger(), EquityThresholds(Decimal(95_000))),
    (
        "no target while the balance is below it",
        a_phase_terms(),
        a_challenger("107999"),
        EquityThresholds(Decimal(95_000)),
    ),
    (
        "the target once the balance reaches it",
        a_phase_terms(),
        a_challenger("108000", "101000"),
        EquityThresholds(Decimal(95_000), Decimal(108_000)),
    ),
    (
        "not while days are missing",
        a_phase_terms(min_trading_days=1),
        a_challenger("108000", "101000"),
        EquityThresholds(Decimal(95_000)),
    ),
    (
        "a target measured on equity",
        a_phase_terms(profit_target=a_target(measured=Measured.EQUITY)),
        a_challenger(),
        EquityThresholds(Decimal(95_000), Decimal(108_000)),
    ),
    (
        "the lower of a ceiling and the target",
        a_phase_terms(daily_profit=a_limit("5"), profit_target=a_target(measured=Measured.EQUITY)),
        a_challenger(),
        EquityThresholds(Decimal(95_000), Decimal(105_000)),
    ),
    (
        "a limit on the balance needs no equity",
        bare(daily_loss=a_limit("5", measured=BALANCE)),
        a_challenger("95000"),
        EquityThresholds(LIQUIDATED),
    ),
    (
        "a balance beyond it must be looked at",
        bare(daily_loss=a_limit("5", measured=BALANCE)),
        a_challenger("94999"),
        EquityThresholds(ALWAYS),
    ),
    (
        "so must the lower of both",
        bare(daily_loss=a_limit("5", measured=LOWER)),
        a_challenger("94999", "99000"),
        EquityThresholds(ALWAYS),
    ),
    (
        "not when it was found today",
        bare(daily_loss=a_limit("5", measured=LOWER)),
        a_challenger("94999", "99000", day_findings=frozenset({Rule.MAX_DAILY_LOSS})),
        EquityThresholds(LIQUIDATED),
    ),
    (
        "a trailing floor moves with highs",
        bare(total_loss=TRAILING),
        a_challenger(),
        EquityThresholds(Decimal(90_000), None, True),
    ),
    (
        "until it stops",
        bare(total_loss=TRAILING),
        a_challenger(peak_equity=Decimal(110_000)),
        EquityThresholds(Decimal(100_000)),
    ),
    (
        "an early warning is nearer than its limit",
        a_phase_terms(warn_at=EARLY),
        a_challenger(),
        EquityThresholds(FOUR_FIFTHS),
    ),
    (
        "not once it is told; its limit still is",
        a_phase_terms(warn_at=EARLY),
        a_challenger(day_findings=frozenset({"MAX_DAILY_LOSS@0.8"})),
        EquityThresholds(Decimal(95_000)),
    ),
    (
        "nor one of a limit found today",
        a_phase_terms(warn_at=EARLY),
        a_challenger(day_findings=frozenset({"MAX_DAILY_LOSS"})),
        EquityThresholds(Decimal(92_000)),
    ),
    (
        "the way to a floor grows with highs though it has stopped",
        bare(total_loss=TRAILING, warn_at=EARLY),
        a_challenger("105000", peak_equity=Decimal(110_000)),
        EquityThresholds(Decimal(102_000), None, True),
    ),
    (
        "even where there is no way yet",
        bare(total_loss=replace(TRAILING, amount=Decimal(0)), warn_at=EARLY),
        a_challenger(),
        EquityThresholds(INITIAL, None, True),
    ),
]


@pytest.mark.parametrize(("terms", "account", "bounds"), [c[1:] for c in BOUNDS], ids=[c[0] for c in BOUNDS])
def test_thresholds_leave_the_book_alone_where_they_can(
    terms: PhaseTerms, account: Account, bounds: EquityThresholds
) -> None:
    assert equity_thresholds(account, terms) == bounds


def test_an_ended_phase_is_not_judged() -> None:
    assert equity_thresholds(a_challenger("1", status=ChallengeStatus.FAILED), None) == EquityThresholds()


def test_an_account_without_a_challenge_has_its_liquidation_level() -> None:
    assert equity_thresholds(an_account(), None) == EquityThresholds(LIQUIDATED)
    assert equity_thresholds(an_account(policy=a_policy(liquidation_pct=Decimal(0))), None) == EquityThresholds()


def shown(account: Account, terms: PhaseTerms) -> dict[str, list[str]]:
    """Limit, measured, level, headroom and used of every rule, as text."""
    columns = ("limit", "measured", "level", "headroom", "used")
    return {item.rule: [f"{getattr(item, name):f}" for name in columns] for item in progress(account, terms)}


def test_progress_tells_every_configured_rule_in_order() -> None:
    terms = a_phase_terms(
        daily_profit=a_limit(amount=Decimal(9000)),
        min_trading_days=5,
        best_day_pct=Decimal(40),
        profitable_days=3,
        duration_days=30,
        max_trading_days=20,
        inactivity_days=10,
        max_positions=4,
    )
    run = {"days_traded": 2, "days_profitable": 1, "day": 3, "last_fill_day": 2, "best_day_profit": Decimal(1200)}
    account = a_challenger("102000", "98000", day_start_balance=Decimal(101_000), **run)
    assert shown(account, terms) == {
        "MAX_DAILY_LOSS": ["5", "98000", "95000.00000000", "3000.00000000", "0.4000"],
        "MAX_TOTAL_LOSS": ["10", "98000", "90000.00000000", "8000.00000000", "0.2000"],
        "MAX_DAILY_PROFIT": ["9000", "98000", "109000", "11000", "0.0000"],
        "LIQUIDATION": ["50", "98000", "50000.00000000", "48000.00000000", "0.0400"],
        "PROFIT_TARGET": ["8", "98000", "108000.00000000", "10000.00000000", "0.0000"],
        "MIN_TRADING_DAYS": ["5", "2", "5", "3", "0.4000"],
        "BEST_DAY": ["40", "2000", "3000.00000000", "1000.00000000", "0.6666"],
        "PROFITABLE_DAYS": ["3", "2", "3", "1", "0.6666"],
        "DURATION": ["30", "3", "30", "27", "0.1000"],
        "MAX_TRADING_DAYS": ["20", "2", "20", "18", "0.1000"],
        "INACTIVITY": ["10", "1", "10", "9", "0.1000"],
        "MAX_POSITIONS": ["4", "0", "4", "4", "0.0000"],
    }
    assert list(shown(account, terms)) == [rule.value for rule in Rule]


def test_progress_tells_nothing_that_is_not_configured() -> None:
    account = replace(a_challenger(), policy=a_policy(liquidation_pct=Decimal(0)))
    assert progress(account, bare()) == []
    assert [item.rule for item in progress(a_challenger(), a_funded_phase())] == [
        Rule.MAX_DAILY_LOSS,
        Rule.MAX_TOTAL_LOSS,
        Rule.LIQUIDATION,
    ]


def test_progress_tells_how_far_it_has_gone_and_how_far_it_is() -> None:
    """A target in money, a loss in money, days in days."""
    account = a_challenger("103000", "101500", days_traded=2, day_start_equity=Decimal(102_000))
    told = {item.rule: item for item in progress(account, a_phase_terms(min_trading_days=5))}
    ways = {rule.value: [int(one.done), int(one.needed), int(one.headroom)] for rule, one in told.items()}
    assert ways == {
        "MAX_DAILY_LOSS": [500, 5100, 4600],
        "MAX_TOTAL_LOSS": [-1500, 10_000, 11_500],
        "LIQUIDATION": [-1500, 50_000, 51_500],
        "PROFIT_TARGET": [1500, 8000, 6500],
        "MIN_TRADING_DAYS": [2, 5, 3],
    }


USED = [
    ("nothing lost", "100000", "0.0000"),
    ("a gain is not a negative loss", "104000", "0.0000"),
    ("half", "97500", "0.5000"),
    ("a hair before the level is not yet one", "95000.00000001", "0.9999"),
    ("the level", "95000", "1.0000"),
    ("beyond it", "94000", "1.2000"),
]


@pytest.mark.parametrize(("equity", "used"), [c[1:] for c in USED], ids=[c[0] for c in USED])
def test_how_much_of_a_limit_is_used(equity: str, used: str) -> None:
    assert shown(a_challenger("100000", equity), a_phase_terms())["MAX_DAILY_LOSS"][4] == used


def test_a_limit_of_nothing_at_all_is_used_up() -> None:
    assert shown(a_challenger(), bare(daily_loss=a_limit(amount=Decimal(0))))["MAX_DAILY_LOSS"][4] == "1.0000"
