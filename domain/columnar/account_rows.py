"""One row per account: the figures that a mark reads and changes, in int64."""

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

NEVER = MOST  # a time, or a batch number, that is never reached
ALWAYS = LEAST


@dataclass(slots=True)
class AccountRows(Columns):
    """The accounts of a shard, one row each. Amounts in units of 1e-8, times in microseconds since 1970.

    The figures of a phase do not change while no phase runs.
    """

    id: Ints
    seq: Ints
    through: Ints
    marked_at: Ints
    day_ends_at: Ints
    metric_due_at: Ints
    ledger_due_at: Ints
    cash: Ints
    unrealised: Ints
    open_profit: Ints  # the sum of the unrealised profits of its positions at the newest marks
    high_watermark: Ints
    low: Ints  # equity at or below this needs the plain fold
    high: Ints  # equity at or above this needs the plain fold
    phase_id: Ints
    challenge_id: Ints
    day_start_balance: Ints
    day_start_equity: Ints
    day_low: Ints
    day_high: Ints
    peak_equity: Ints
    peak_balance: Ints
    trail_gap: Ints  # distance of the trailing floor below a new equity high, as an amount,
    trail_pct: Ints  # or as a percentage of that high, in units of 1e-8
    trail_stop: Ints  # the level at which the trailing floor stops rising
    trail_share: Ints  # share of the way to the floor at which the fold must judge (early warnings), in units
    low_of_other_limits: Ints  # `low` without the trailing floor
    trails: Flags  # a new equity high raises `low`
    new_peak: Flags  # a new equity high needs the plain fold
    always_fold: Flags  # every batch needs the plain fold
    holds: Flags  # it has open positions, so mark_to_market ledger rows fall due
    unmarked: Flags  # no batch has marked it since it was loaded
    dirty: Flags


def figures_of(account: Account, open_profit: Decimal, terms: PhaseTerms | None) -> dict[str, int]:
    """Return the row of a live account. Raises ValueError for a figure that does not fit into int64."""
    bounds = equity_thresholds(account, terms)
    figures = {
        "marked_at": time_of(account.marked_at, ALWAYS),
        "ledger_due_at": time_of(account.ledger_due_at, ALWAYS),
        "cash": units(account.cash),
        "unrealised": units(account.unrealised),
        "open_profit": units(open_profit),
        "high_watermark": units(account.high_watermark),
        "low": _low(bounds),
        "high": MOST if bounds.high is None else level(bounds.high),
        "holds": bool(account.positions),
    }
    return figures | _version(account) | _phase_figures(account.phase) | trail_of(account, terms, bounds)


def figures_without_positions(account: Account) -> dict[str, int]:
    """Return the row of an account with a figure that does not fit into int64: the plain fold marks it."""
    return _version(account) | {"always_fold": True}


def _low(bounds: EquityThresholds) -> int:
    return LEAST if bounds.low is None else level(bounds.low)


def _version(account: Account) -> dict[str, int]:
    return {"id": account.id, "seq": account.seq, "through": account.marked_through, "unmarked": True}


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
    """Return how the trailing floor follows a new equity high. A floor for balances is left to the plain fold."""
    if not bounds.new_peak:
        return {}
    phase = account.phase
    assert terms and phase, "only a phase's limit trails"
    if terms.total_loss.measured is not Measured.EQUITY:
        return {"new_peak": True}
    without_trailing = replace(phase, day_findings=phase.day_findings | {TRAILING.rule})
    shares = [share for share in terms.warn_at if warning_name(TRAILING.rule, plain(share)) not in phase.day_findings]
    others = equity_thresholds(replace(account, phase=without_trailing), terms)
    rule = trail_figures(terms.total_loss, phase.initial_balance)
    return rule | {"trails": True, "trail_share": units(min(shares, default=ONE)), "low_of_other_limits": _low(others)}


def trail_figures(limit: Limit, initial: Decimal) -> dict[str, int]:
    """Return the trailing floor's distance and its stop. Raises ValueError for a figure that does not fit."""
    of_high = limit.amount is None and limit.percent_of is PercentOf.REFERENCE
    stop = limit_levels.trail_stop(limit, initial, DECIMAL)
    return {
        "trail_gap": 0 if of_high else units(limit_levels.distance(limit, initial, initial, initial, DECIMAL)),
        "trail_pct": units(limit.pct) if of_high else 0,
        "trail_stop": MOST if stop is None else units(stop),
    }


def time_of(moment: datetime | None, none: int) -> int:
    """Return microseconds since 1970, or `none` where there is no such time."""
    return none if moment is None else microseconds(moment)
