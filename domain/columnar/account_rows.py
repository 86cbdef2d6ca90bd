"""An account as a row of the book: what a mark needs and moves, in int64."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from domain import limit_levels
from domain.accounts import Account, PhaseRun
from domain.arithmetic import DECIMAL
from domain.columnar.fixed_point import LEAST, MOST, Columns, Flags, Ints, level, units
from domain.ledger import microseconds
from domain.limit_progress import EquityThresholds, equity_thresholds
from domain.money import ONE, plain
from domain.rule_table import TRAILING
from domain.rules import warning_name
from domain.terms import Limit, Measured, PercentOf, PhaseTerms

NEVER = MOST  # a time no clock reaches, a batch no tape reaches
ALWAYS = LEAST


@dataclass(slots=True)
class AccountRows(Columns):
    """One place an account; times in microseconds since 1970. Where no phase runs, no mark moves its figures."""

    id: Ints
    seq: Ints
    through: Ints
    marked_at: Ints
    day_ends_at: Ints
    metric_due_at: Ints
    ledger_due_at: Ints
    cash: Ints
    unrealised: Ints
    opened: Ints  # the profits of its holdings at the newest marks, added up
    high_watermark: Ints
    low: Ints  # equity at or below it is handed over
    high: Ints  # equity at or above it is handed over
    phase_id: Ints
    challenge_id: Ints
    day_start_balance: Ints
    day_start_equity: Ints
    day_low: Ints
    day_high: Ints
    peak_equity: Ints
    peak_balance: Ints
    trail_gap: Ints  # how far the trailing floor lies below a new high of equity,
    trail_pct: Ints  # or how many percent of it, in units
    trail_stop: Ints  # where that floor stops
    trail_share: Ints  # the share of the way to it at which to look, in units
    low_else: Ints  # the low that the other limits give
    trails: Flags  # a new high of equity moves the low
    new_peak: Flags  # a new high of equity is handed over
    by_hand: Flags  # every batch is handed over
    holds: Flags  # it has holdings, so mark_to_market rows fall due
    fresh: Flags  # not marked since it was put
    dirty: Flags


def figures_of(account: Account, opened: Decimal, terms: PhaseTerms | None) -> dict[str, int]:
    """A live account's row. Raises ValueError where a figure cannot be held."""
    bounds = equity_thresholds(account, terms)
    figures = {
        "marked_at": time_of(account.marked_at, ALWAYS),
        "ledger_due_at": time_of(account.ledger_due_at, ALWAYS),
        "cash": units(account.cash),
        "unrealised": units(account.unrealised),
        "opened": units(opened),
        "high_watermark": units(account.high_watermark),
        "low": _low(bounds),
        "high": MOST if bounds.high is None else level(bounds.high),
        "holds": bool(account.positions),
    }
    return figures | _version(account) | _phase_figures(account.phase) | trail_of(account, terms, bounds)


def figures_without_positions(account: Account) -> dict[str, int]:
    """The row of an account whose figures cannot be held."""
    return _version(account) | {"by_hand": True}


def _low(bounds: EquityThresholds) -> int:
    return LEAST if bounds.low is None else level(bounds.low)


def _version(account: Account) -> dict[str, int]:
    return {"id": account.id, "seq": account.seq, "through": account.marked_through, "fresh": True}


def _phase_figures(phase: PhaseRun | None) -> dict[str, int]:
    if phase is None or not phase.running:
        still = {"day_low": LEAST, "day_high": MOST, "peak_equity": MOST, "peak_balance": MOST}
        return {"phase_id": 0, "day_ends_at": NEVER, "metric_due_at": NEVER, **still}
    return {
        "phase_id": phase.id,
        "challenge_id": phase.challenge_id,
        "day_ends_at": microseconds(phase.day_ends_at),
        "metric_due_at": time_of(phase.metric_due_at, NEVER),
        "day_start_balance": units(phase.day_start_balance),
        "day_start_equity": units(phase.day_start_equity),
        "day_low": units(phase.day_low),
        "day_high": units(phase.day_high),
        "peak_equity": units(phase.peak_equity),
        "peak_balance": units(phase.peak_balance),
    }


def trail_of(account: Account, terms: PhaseTerms | None, bounds: EquityThresholds) -> dict[str, int]:
    """How a floor follows a new high of equity; where balances are measured against it, the fold has to look."""
    if not bounds.new_peak:
        return {}
    phase = account.phase
    assert terms and phase, "only a phase's limit trails"
    if terms.total_loss.measured is not Measured.EQUITY:
        return {"new_peak": True}
    found = replace(phase, day_findings=phase.day_findings | {TRAILING.rule})
    told = phase.day_findings
    shares = [share for share in terms.warn_at if warning_name(TRAILING.rule, plain(share)) not in told]
    others = equity_thresholds(replace(account, phase=found), terms)
    rule = trail_figures(terms.total_loss, phase.initial_balance)
    return rule | {"trails": True, "trail_share": units(min(shares, default=ONE)), "low_else": _low(others)}


def trail_figures(limit: Limit, initial: Decimal) -> dict[str, int]:
    """The floor under a high of equity. Raises ValueError where a figure cannot be held."""
    of_high = limit.amount is None and limit.percent_of is PercentOf.REFERENCE
    stop = limit_levels.trail_stop(limit, initial, DECIMAL)
    return {
        "trail_gap": 0 if of_high else units(limit_levels.distance(limit, initial, initial, initial, DECIMAL)),
        "trail_pct": units(limit.pct) if of_high else 0,
        "trail_stop": MOST if stop is None else units(stop),
    }


def time_of(moment: datetime | None, none: int) -> int:
    """Microseconds since 1970; `none` where there is no such time."""
    return none if moment is None else microseconds(moment)
