"""What is wrong with a program, all at once, each at its path."""

from dataclasses import replace
from datetime import UTC, time
from decimal import Decimal
from typing import Any

import pytest

from domain.instruments import Currency
from domain.programs import Draft, Step, limits_data, payout_data, phase_terms, problems, time_of_day
from domain.terms import (
    Consequence,
    Enforcement,
    Group,
    GroupKind,
    Limit,
    Measured,
    PayoutFloor,
    PayoutTerms,
    PercentOf,
    PhaseType,
    PositionsLimit,
    Reference,
    Touch,
    TradingDay,
    Trail,
)

GROUPS = {"DEMO": GroupKind.DEMO, "REAL": GroupKind.REAL}
CURRENCIES = {"USD": Currency("USD", 2, "USD"), "JPY": Currency("JPY", 0, "JPY")}
EVALUATION = Step(1, PhaseType.EVALUATION, "Evaluation", "DEMO", profit_target_pct=Decimal(8))
FUNDED = Step(2, PhaseType.FUNDED, "Funded", "REAL", profit_split=Decimal("0.8"))
DRAFT = Draft("Two-step", Decimal(99), "USD", (EVALUATION, FUNDED))


def paths(draft: Draft) -> list[str]:
    return [problem.path for problem in problems(draft, GROUPS, CURRENCIES)]


def test_a_sound_program_has_no_problems() -> None:
    assert problems(DRAFT, GROUPS, CURRENCIES) == []


HEADS: list[tuple[str, Any, str]] = [
    ("name", "", "name"),
    ("name", "  ", "name"),
    ("name", "x" * 201, "name"),
    ("name", "a\0b", "name"),
    ("description", "\ud800", "description"),
    ("price", Decimal(-1), "price"),
    ("price", Decimal("0.001"), "price"),
    ("price", Decimal("NaN"), "price"),
    ("price", Decimal("1e10"), "price"),
    ("price_currency", "XXX", "priceCurrency"),
    ("sort_index", 2**31, "sortIndex"),
    ("zone", "Mars/Olympus", "zone"),
    ("day_start", time(17, tzinfo=UTC), "dayStart"),
    ("day_start", "noon", "dayStart"),
    ("steps", (), "steps"),
]


@pytest.mark.parametrize(("field", "value", "path"), HEADS)
def test_a_bad_field_is_named(field: str, value: Any, path: str) -> None:
    assert paths(replace(DRAFT, **{field: value})) == [path]


def test_a_free_program_may_be_sold() -> None:
    assert paths(replace(DRAFT, price=Decimal(0))) == []


def test_a_price_is_whole_in_the_minor_units_of_its_currency() -> None:
    assert paths(replace(DRAFT, price_currency="JPY", price=Decimal("99.5"))) == ["price"]


EVALUATIONS: list[tuple[dict[str, Any], list[str]]] = [
    ({"profit_target_pct": Decimal(0)}, ["profitTargetPct"]),
    ({"profit_target_pct": Decimal(0), "limits": {"profit_target": {"amount": Decimal(500)}}}, []),
    ({"profit_target_pct": Decimal(-1)}, ["profitTargetPct"]),
    ({"profit_split": Decimal("0.5")}, ["profitSplit"]),
    ({"account_group": "NONE"}, ["accountGroup"]),
    ({"account_group": "REAL"}, ["accountGroup"]),
    ({"name": ""}, ["name"]),
    ({"phase_index": 2}, ["phaseIndex"]),
    ({"max_daily_loss_pct": Decimal("100.1")}, ["maxDailyLossPct"]),
    ({"max_total_loss_pct": Decimal("Infinity")}, ["maxTotalLossPct"]),
    ({"max_daily_profit_pct": Decimal("0.123456789")}, ["maxDailyProfitPct"]),
    ({"duration_days": -1}, ["durationDays"]),
    ({"max_positions": 10_001}, ["maxPositions"]),
    ({"min_trading_days": 5, "max_trading_days": 4}, ["maxTradingDays"]),
    ({"min_trading_days": 5, "max_trading_days": 5}, []),
    ({"min_trading_days": 5, "duration_days": 4}, ["durationDays"]),
    ({"best_day_pct": Decimal("100.1")}, ["bestDayPct"]),
    ({"profitable_days": -1}, ["profitableDays"]),
    ({"profitable_day_pct": Decimal("NaN")}, ["profitableDayPct"]),
    ({"inactivity_days": 3661}, ["inactivityDays"]),
    ({"profitable_days": 5, "max_trading_days": 4, "duration_days": 3}, ["maxTradingDays", "durationDays"]),
    ({"warn_at": (Decimal("0.5"), Decimal("0.8"))}, []),
    ({"warn_at": (Decimal(0), Decimal("0.5"), Decimal(1), Decimal("0.5"))}, ["warnAt[0]", "warnAt[2]", "warnAt[3]"]),
    ({"warn_at": tuple(Decimal(n) / 100 for n in range(1, 12))}, ["warnAt"]),
    ({"payout": {"cycle_days": 14}}, ["payout"]),
    ({"payout": {"cycle_days": None}}, []),
    ({"limits": {"weekly_loss": {}}}, ["limits.weeklyLoss"]),
    ({"limits": {"daily_loss": {"amount": Decimal(0)}}}, ["limits.dailyLoss.amount"]),
    (
        {"max_daily_loss_pct": Decimal(5), "limits": {"daily_loss": {"amount": Decimal(5)}}},
        ["limits.dailyLoss.amount"],
    ),
    ({"limits": {"daily_loss": {"reference": "NOON"}}}, ["limits.dailyLoss.reference"]),
    (
        {
            "max_daily_loss_pct": Decimal(5),
            "limits": {"daily_loss": {"reference": "HIGHER", "percent_of": "INITIAL", "amount": None}},
        },
        [],
    ),
    ({"limits": {"daily_loss": {"reference": "HIGHER", "touch": "BEYOND"}}}, ["limits.dailyLoss.reference"]),
    (
        {"limits": {"daily_loss": {"amount": Decimal(5), "percent_of": "INITIAL", "reference": "HIGHER"}}},
        ["limits.dailyLoss.percentOf"],
    ),
    ({"limits": {"daily_loss": {"trail": Trail.TRAIL_INTRADAY}}}, ["limits.dailyLoss.trail"]),
    ({"limits": {"daily_loss": {"trail": Trail.STATIC}}}, []),
    ({"limits": {"total_loss": {"lock_at": Decimal(0)}}}, ["limits.totalLoss.lockAt"]),
    (
        {"max_total_loss_pct": Decimal(5), "limits": {"total_loss": {"trail": "TRAIL_BALANCE", "lock_at": Decimal(0)}}},
        [],
    ),
    ({"limits": {"total_loss": {"trail": "TRAIL_BALANCE"}}}, ["limits.totalLoss.trail"]),
    ({"limits": {"total_loss": {"amount": Decimal(5), "trail": "TRAIL_END_OF_DAY", "trail_by": "HIGHER"}}}, []),
    (
        {"limits": {"total_loss": {"amount": Decimal(5), "trail": "TRAIL_BALANCE", "trail_by": "EQUITY"}}},
        ["limits.totalLoss.trailBy"],
    ),
    (
        {"max_total_loss_pct": Decimal(5), "limits": {"total_loss": {"percent_of": "DAY_START_BALANCE"}}},
        ["limits.totalLoss.percentOf"],
    ),
    ({"max_daily_loss_pct": Decimal(5), "limits": {"daily_loss": {"percent_of": "DAY_START_BALANCE"}}}, []),
    ({"profitable_day_pct": Decimal(1)}, ["profitableDayPct"]),
    ({"profitable_day_pct": Decimal(1), "profitable_days": 2}, []),
    ({"trading_day": TradingDay.MOVED, "trading_day_pct": Decimal("0.5")}, []),
    ({"trading_day": TradingDay.MOVED}, ["tradingDayPct"]),
    ({"max_positions": 5, "limits": {"max_positions": {"enforced": "BREACH", "consequence": "CLOSE_DAY"}}}, []),
    ({"limits": {"max_positions": {"enforced": "BREACH"}}}, ["limits.maxPositions.enforced"]),
    ({"max_positions": 5, "limits": {"max_positions": {"consequence": "WARN"}}}, ["limits.maxPositions.consequence"]),
    ({"max_positions": 5, "limits": {"max_positions": {"enforced": "FENCE"}}}, ["limits.maxPositions.enforced"]),
    ({"max_positions": 5, "limits": {"max_positions": {"touch": "REACHED"}}}, ["limits.maxPositions.touch"]),
    ({"trading_day_pct": Decimal("0.5")}, ["tradingDayPct"]),
    ({"limits": {"profit_target": {"consequence": Consequence.WARN}}}, ["limits.profitTarget.consequence"]),
    ({"limits": {"profit_target": {"colour": "red"}}}, ["limits.profitTarget.colour"]),
]


@pytest.mark.parametrize(("changes", "expected"), EVALUATIONS)
def test_an_evaluation_is_judged_field_by_field(changes: dict[str, Any], expected: list[str]) -> None:
    draft = replace(DRAFT, steps=(replace(EVALUATION, **changes), FUNDED))
    assert paths(draft) == [f"steps[0].{path}" if path != "steps" else path for path in expected]


FUNDEDS: list[tuple[dict[str, Any], list[str]]] = [
    ({"profit_split": Decimal(0)}, ["profitSplit"]),
    ({"profit_split": Decimal("1.01")}, ["profitSplit"]),
    ({"profit_split": Decimal(1)}, []),
    ({"profit_target_pct": Decimal(5)}, ["profitTargetPct"]),
    ({"account_group": "DEMO"}, ["accountGroup"]),
    ({"payout": {"min_profit": Decimal("100.5"), "cycle_days": 14, "floor": "FOLLOW", "profitable_days": 3}}, []),
    ({"payout": {"floor": "KEEP"}}, ["payout.floor"]),
    (
        {
            "payout": {"floor": "KEEP"},
            "max_total_loss_pct": Decimal(10),
            "limits": {"total_loss": {"trail": "TRAIL_BALANCE"}},
        },
        [],
    ),
    ({"profitable_day_pct": Decimal(1)}, ["profitableDayPct"]),
    ({"profitable_day_pct": Decimal(1), "payout": {"profitable_days": 3}}, []),
    ({"limits": {"profit_target": {"measured": "EQUITY"}}}, ["limits.profitTarget.measured"]),
    ({"limits": {"profit_target": {"amount": Decimal(5)}}}, ["profitTargetPct"]),
    ({"payout": {"min_profit": Decimal(-1)}}, ["payout.minProfit"]),
    ({"payout": {"cycle_days": -1, "floor": "SINK"}}, ["payout.cycleDays", "payout.floor"]),
    ({"payout": {"tax": 1}}, ["payout.tax"]),
]


@pytest.mark.parametrize(("changes", "expected"), FUNDEDS)
def test_a_funded_phase_is_judged_field_by_field(changes: dict[str, Any], expected: list[str]) -> None:
    draft = replace(DRAFT, steps=(EVALUATION, replace(FUNDED, **changes)))
    assert paths(draft) == [f"steps[1].{path}" for path in expected]


def test_only_the_last_phase_is_funded_and_so_at_most_one() -> None:
    first = replace(FUNDED, phase_index=1)
    assert paths(replace(DRAFT, steps=(first, FUNDED))) == ["steps[0].phaseType"]
    assert paths(replace(DRAFT, steps=(first, replace(EVALUATION, phase_index=2)))) == ["steps[0].phaseType"]


def test_phases_count_from_one_without_gaps() -> None:
    gap = (EVALUATION, replace(FUNDED, phase_index=3))
    assert paths(replace(DRAFT, steps=gap)) == ["steps[1].phaseIndex"]


def test_every_problem_is_told_at_once() -> None:
    steps = (replace(EVALUATION, profit_target_pct=Decimal(0), account_group="NONE"), replace(FUNDED, name=""))
    found = problems(replace(DRAFT, name="", zone="", steps=steps), GROUPS, CURRENCIES)
    assert [(problem.path, problem.code) for problem in found] == [
        ("name", "INVALID_INPUT"),
        ("zone", "INVALID_INPUT"),
        ("steps[0].profitTargetPct", "INVALID_INPUT"),
        ("steps[0].accountGroup", "NOT_FOUND"),
        ("steps[1].name", "INVALID_INPUT"),
    ]


def test_the_axes_given_reach_the_terms_and_the_others_keep_each_limits_default() -> None:
    axes: dict[str, dict[str, Any]] = {
        "daily_loss": {"reference": Reference.BALANCE, "touch": None},
        "total_loss": {"amount": Decimal("500.00")},
        "max_positions": {"enforced": Enforcement.BREACH, "consequence": "CLOSE_DAY"},
    }
    terms = phase_terms(replace(EVALUATION, limits=axes), Group("DEMO", GroupKind.DEMO, "USD", Decimal(1000)))
    assert terms.daily_loss == Limit(reference=Reference.BALANCE)
    assert terms.positions == PositionsLimit(Enforcement.BREACH, Consequence.CLOSE_DAY)
    assert terms.total_loss == Limit(amount=Decimal(500), percent_of=PercentOf.INITIAL)
    assert terms.profit_target == Limit(
        pct=Decimal(8), percent_of=PercentOf.INITIAL, measured=Measured.LOWER, touch=Touch.REACHED
    )


def test_days_warnings_and_the_payouts_terms_reach_the_terms() -> None:
    step = replace(
        FUNDED,
        best_day_pct=Decimal(40),
        profitable_days=3,
        profitable_day_pct=Decimal("0.5"),
        inactivity_days=30,
        warn_at=(Decimal("0.8"), Decimal("0.5")),
        payout={"min_profit": Decimal("100.50"), "cycle_days": 14, "floor": "KEEP", "profitable_days": None},
    )
    terms = phase_terms(step, Group("REAL", GroupKind.REAL, "USD", Decimal(1000)))
    assert (terms.best_day_pct, terms.profitable_days, terms.profitable_day_pct) == (Decimal(40), 3, Decimal("0.5"))
    assert (terms.inactivity_days, terms.warn_at) == (30, (Decimal("0.5"), Decimal("0.8")))
    assert terms.payout == PayoutTerms(min_profit=Decimal("100.5"), cycle_days=14, floor=PayoutFloor.KEEP)
    assert payout_data(step) == {"min_profit": "100.5", "cycle_days": 14, "floor": "KEEP"}


def test_a_time_of_day_is_read_or_told_as_it_is() -> None:
    assert time_of_day("17:00") == time(17)
    assert time_of_day("25:00") == "25:00"


def test_axes_are_stored_as_text_and_only_where_given() -> None:
    step = replace(EVALUATION, limits={"total_loss": {"trail": Trail.STATIC, "amount": Decimal("5.10"), "touch": None}})
    assert limits_data(step) == {"total_loss": {"trail": "STATIC", "amount": "5.1"}}


def test_the_programs_split_is_its_funded_phases() -> None:
    assert DRAFT.profit_split == Decimal("0.8")
    assert replace(DRAFT, steps=(EVALUATION,)).profit_split == 0
