"""Each field of a step has an effect on its type of phase, or is refused there."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain import backtest
from domain.backtest import BacktestResult, Setup
from domain.orders import Action
from domain.payouts import Cycle, Standing, criteria, share
from domain.programs import Draft, Step, phase_terms, problems
from domain.quotes import Batch
from domain.terms import GroupKind, PayoutTerms, PhaseTerms, PhaseType, TradingDay
from tests.domain.builders import NOON, a_batch, a_group
from tests.domain.desk_builders import CATALOGUE, HOUR, UTC_DAYS, priced
from tests.domain.test_backtest import WIDE

EVALUATION = Step(1, PhaseType.EVALUATION, "Evaluation", "DEMO", profit_target_pct=Decimal(5))
FUNDED = Step(1, PhaseType.FUNDED, "Funded", "REAL", profit_split=Decimal("0.8"))
RESULTS = (-1500, 3000, 500, None, 5000)
"""Of each day, nothing being traded on the fourth: 7,000 in all, 5 % on the last day."""

TRAILS: dict[str, Any] = {"max_total_loss_pct": Decimal(5), "limits": {"total_loss": {"trail": "TRAIL_BALANCE"}}}
BOTH: dict[str, tuple[dict[str, Any], Any]] = {
    "duration_days": ({}, 2),
    "max_daily_loss_pct": ({}, Decimal(1)),
    "max_total_loss_pct": ({}, Decimal(1)),
    "max_daily_profit_pct": ({}, Decimal(2)),
    "min_trading_days": ({}, 5),
    "max_trading_days": ({}, 2),
    "max_positions": ({}, 1),
    "best_day_pct": ({}, Decimal(50)),
    "profitable_days": ({}, 4),
    "profitable_day_pct": ({"profitable_days": 3}, Decimal(1)),
    "inactivity_days": ({}, 1),
    "trading_day": ({"min_trading_days": 4}, {"trading_day": TradingDay.MOVED, "trading_day_pct": Decimal(1)}),
    "trading_day_pct": (
        {"min_trading_days": 4, "trading_day": TradingDay.MOVED, "trading_day_pct": Decimal("0.1")},
        Decimal(1),
    ),
    "warn_at": ({"max_total_loss_pct": Decimal(10)}, (Decimal("0.1"),)),
    "limits": ({}, {"daily_loss": {"amount": Decimal(1000)}}),
}
EFFECTS: dict[PhaseType, dict[str, tuple[dict[str, Any], Any]]] = {
    PhaseType.EVALUATION: BOTH | {"profit_target_pct": ({}, Decimal(1))},
    PhaseType.FUNDED: BOTH | {"profit_split": ({}, Decimal("0.5")), "payout": ({}, {"min_profit": Decimal(8000)})},
}
"""By field what the step has besides, and a value that makes a difference, alone or with what it needs."""
REFUSED: dict[PhaseType, dict[str, Any]] = {
    PhaseType.EVALUATION: {"profit_split": Decimal("0.8"), "payout": {"min_profit": Decimal(1)}},
    PhaseType.FUNDED: {"profit_target_pct": Decimal(5)},
}
PAYOUT: dict[str, tuple[dict[str, Any], Any]] = {
    "min_profit": ({}, Decimal(8000)),
    "min_trading_days": ({}, 5),
    "profitable_days": ({}, 4),
    "cycle_days": ({}, 9),
    "min_amount": ({}, Decimal(8000)),
    "min_buffer": ({}, Decimal(8000)),
    "floor": (TRAILS, "KEEP"),
}
SHOWN_BY_MONEY = {"fee_back"}  # tests/services/ shows the transfer
NAMES = {"phase_index", "phase_type", "name", "account_group"}
BASE = {PhaseType.EVALUATION: EVALUATION, PhaseType.FUNDED: FUNDED}
CASES = [(kind, name) for kind, of in EFFECTS.items() for name in of]


def week() -> tuple[list[Batch], list[tuple[int, list[Action]]]]:
    """A long of a million each day, bought at 1.1 and sold an hour later, with a small short next to it."""
    batches: list[Batch] = []
    submissions: list[tuple[int, list[Action]]] = []
    for day, result in enumerate(RESULTS):
        at = NOON + day * timedelta(days=1)
        for hours, price in ((0, Decimal("1.1")), (1, Decimal("1.1") + Decimal(result or 0) / 1_000_000)):
            number, time = len(batches) + 1, at + hours * HOUR
            batches.append(a_batch(number, priced("EURUSD", f"{price}", time), at=time))
            verb, run = ("CLOSE", {}) if hours else ("OPEN", {"quantity": "1000000"})
            if result is not None:
                small = run and {"quantity": "1000"}
                long = Action("r", f"{number}-long", verb, "EURUSD", "LONG", **run)
                submissions.append((number, [long, Action("r", f"{number}-short", verb, "EURUSD", "SHORT", **small)]))
    return batches, submissions


def played(step: Step) -> tuple[BacktestResult, PhaseTerms]:
    kind = GroupKind.REAL if step.phase_type is PhaseType.FUNDED else GroupKind.DEMO
    terms = phase_terms(step, a_group(name=step.account_group, kind=kind, policy=WIDE))
    return backtest.run(Setup(terms.group, CATALOGUE, terms, UTC_DAYS), *week()), terms


def seen(step: Step) -> Any:
    """All that a trader or a manager notices of the step's terms."""
    outcome, terms = played(step)
    journal, account = outcome.journal, outcome.account
    ended = [day for day in journal.days.values() if day.closed]
    standing = Standing(account, terms, Cycle().after(ended, Decimal(0)), UTC_DAYS, 2, NOON)
    return (
        [(f.rule, f.consequence, f.day, f.floor) for f in journal.findings],
        [(v.status, v.rule, v.batch) for v in journal.verdicts],
        [w.rule for w in journal.warnings],
        [result.refusal and result.refusal.code for result in outcome.results],
        [(c.condition, c.measured, c.needed) for c in criteria(standing) if not c.met],
        share(standing.profit, terms.profit_split, 2),
    )


def faults(step: Step) -> list[str]:
    draft = Draft("One step", Decimal(0), "USD", (step,))
    return [p.path for p in problems(draft, {"DEMO": GroupKind.DEMO, "REAL": GroupKind.REAL}, CATALOGUE.currencies)]


@pytest.mark.parametrize("kind", PhaseType)
def test_every_field_is_on_one_of_the_lists(kind: PhaseType) -> None:
    assert {field.name for field in fields(Step)} - NAMES == EFFECTS[kind].keys() | REFUSED[kind].keys()
    assert {field.name for field in fields(PayoutTerms)} == PAYOUT.keys() | SHOWN_BY_MONEY


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_field_has_an_effect(kind: PhaseType, name: str) -> None:
    others, value = EFFECTS[kind][name]
    without = replace(BASE[kind], **others)
    changes = value if isinstance(value, dict) and name in value else {name: value}
    using = replace(without, **changes)
    assert faults(without) == faults(using) == []
    assert seen(without) != seen(using)


@pytest.mark.parametrize("name", PAYOUT)
def test_a_payouts_term_has_an_effect(name: str) -> None:
    others, value = PAYOUT[name]
    without = replace(FUNDED, **others)
    using = replace(without, payout={name: value})
    assert faults(without) == faults(using) == []
    assert seen(without) != seen(using)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, of in REFUSED.items() for name in of])
def test_a_field_without_an_effect_is_refused(kind: PhaseType, name: str) -> None:
    changes: Mapping[str, Any] = {name: REFUSED[kind][name]}
    assert len(faults(replace(BASE[kind], **changes))) == 1
