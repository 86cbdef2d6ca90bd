"""Screening: two equity thresholds per account stand for all rules, so most marks need no further judgement.

`screen_limits` computes the thresholds of many accounts, as `limit_progress.equity_thresholds` does for one. It is
exact for an account without findings of today whose balance alone meets no limit; others are flagged `needs_fold`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from decimal import Decimal

import numpy as np

from domain import limit_levels
from domain.arithmetic import COLUMN, PERCENT_UNIT
from domain.columnar.account_rows import AccountRows
from domain.columnar.fixed_point import LEAST, MOST, UNIT, Columns, Flags, Ints, scale, units
from domain.lifecycles import ChallengeStatus
from domain.limit_levels import LevelFigures
from domain.money import ONE
from domain.rule_table import LEVEL_RULES, TRAILING, LevelRule
from domain.terms import Limit, Measured, PercentOf, PhaseTerms, PhaseType, Policy, Trail

FIGURE_MAX = 2**53  # exclusive, in units: larger figures need the plain fold, so that no product below wraps
PCT_MAX = 1_000


@dataclass(slots=True)
class ScreenFigures(Columns):
    """The figures from which levels are derived; 0 where no phase runs. The accounts had no withdrawal today."""

    cash: Ints
    starting_balance: Ints
    initial_balance: Ints
    day_start_balance: Ints
    day_start_equity: Ints
    peak_equity: Ints
    peak_balance: Ints
    peak_end_of_day: Ints


@dataclass(slots=True)
class LimitScreen(Columns):
    """Columns of `AccountRows`, and which accounts need the plain fold."""

    low: Ints
    high: Ints
    trail_gap: Ints
    trail_pct: Ints
    trail_stop: Ints
    trail_share: Ints
    low_of_other_limits: Ints
    trails: Flags
    new_peak: Flags
    needs_fold: Flags


@dataclass(frozen=True, slots=True)
class ColumnLevel:
    """One rule's level for each account; `share` is below 1 for an early warning."""

    row: LevelRule
    limit: Limit
    reference: Ints
    level: Ints
    share: Decimal = ONE


def screen_limits(
    figures: ScreenFigures, policy: Policy, status: ChallengeStatus | None, terms: PhaseTerms | None
) -> LimitScreen:
    """The thresholds of accounts under one policy and one phase's terms. `status` is their phase's, None without."""
    answer = LimitScreen.empty(figures.length)
    answer.low[:], answer.high[:], answer.trail_stop[:] = LEAST, MOST, MOST
    if not _is_within_int64(policy, terms):
        answer.needs_fold[:] = True
        return answer
    if status is not None and status is not ChallengeStatus.ACTIVE:
        return answer
    answer.needs_fold[:] = _too_large(figures)
    answer.low_of_other_limits[:] = LEAST
    for bound in _bounds(figures, policy, terms if status is not None else None):
        _look(answer, bound, figures.cash)
        if bound.row is TRAILING and bound.share == ONE and terms:
            _trail(answer, terms, figures.initial_balance, bound.level)
    return answer


def _is_within_int64(policy: Policy, terms: PhaseTerms | None) -> bool:
    rows = (row for row in LEVEL_RULES if row.of_policy or terms is not None)
    return all(getattr(policy if row.of_policy else terms, row.field).pct <= PCT_MAX for row in rows)


def _too_large(figures: ScreenFigures) -> Flags:
    columns = [getattr(figures, field.name) for field in fields(ScreenFigures)]
    large: Flags = np.logical_or.reduce([np.abs(column) >= FIGURE_MAX for column in columns])
    return large


def _bounds(figures: ScreenFigures, policy: Policy, terms: PhaseTerms | None) -> Iterator[ColumnLevel]:
    """Yield every configured level, with its early warnings where a phase runs."""
    columns = LevelFigures(
        figures.starting_balance,
        figures.initial_balance,
        figures.day_start_balance,
        figures.day_start_equity,
        np.zeros((), np.int64),
        figures.peak_equity,
        figures.peak_balance,
        figures.peak_end_of_day,
    )
    for row in LEVEL_RULES:
        if terms is None:
            limit = policy.liquidation if row.of_policy else Limit()
        else:
            limit = Limit() if row.goal and terms.type is not PhaseType.EVALUATION else row.limit(terms, policy)
        if limit.configured:
            bound = ColumnLevel(row, limit, *row.derive(limit, columns, COLUMN))
            yield from [bound] if row.goal else _with_warnings(bound, terms)


def _with_warnings(bound: ColumnLevel, terms: PhaseTerms | None) -> Iterator[ColumnLevel]:
    """Yield the level and its warnings. A warning lies up to a unit nearer: a half may be rounded the other way."""
    yield bound
    nearer = -1 if bound.row.ceiling else 1
    for share in terms.warn_at if terms else ():
        level = bound.reference + scale(bound.level - bound.reference, units(share), UNIT) + nearer
        yield replace(bound, level=level, share=share)


def _look(answer: LimitScreen, bound: ColumnLevel, cash: Ints) -> None:
    """Add the level to the thresholds; an account whose balance alone meets it needs the plain fold."""
    measured, level = bound.limit.measured, bound.level
    if measured is not Measured.EQUITY:
        answer.needs_fold |= cash >= level if bound.row.ceiling else cash <= level
    if measured is Measured.BALANCE or (measured is Measured.LOWER and bound.row.ceiling):
        return
    if bound.row.ceiling:
        np.minimum(answer.high, level, out=answer.high)
        return
    np.maximum(answer.low, level, out=answer.low)
    if bound.row is not TRAILING:
        np.maximum(answer.low_of_other_limits, level, out=answer.low_of_other_limits)


def _trail(answer: LimitScreen, terms: PhaseTerms, initial: Ints, floor: Ints) -> None:
    """Set how the trailing floor follows a new equity high, as `account_rows.trail_of` does for one account."""
    limit = terms.total_loss
    if not limit.configured or limit.trail is not Trail.TRAIL_INTRADAY:
        return
    stop = limit_levels.trail_stop(limit, initial, COLUMN)
    moves = np.full(len(initial), True) if stop is None or terms.warn_at else floor != stop
    if limit.measured is not Measured.EQUITY:
        answer.new_peak[:] = moves
        return
    answer.trails[:] = moves
    if limit.amount is None and limit.percent_of is PercentOf.REFERENCE:
        answer.trail_pct[:] = units(limit.pct)
    else:
        answer.trail_gap[:] = limit_levels.distance(limit, initial, initial, initial, COLUMN)
    if stop is not None:
        answer.trail_stop[:] = stop
    answer.trail_share[:] = units(min(terms.warn_at, default=ONE))


def accounts_to_judge(rows: AccountRows, equity: Ints, observed: Flags) -> tuple[Flags, Ints, Ints]:
    """Return the rows that cannot have a verdict at this equity, those whose `low` a new high raises, and that low."""
    higher = equity > rows.peak_equity
    higher &= observed
    safe: Flags = equity > rows.low
    trailing = np.flatnonzero(higher & rows.trails)
    lows = _trailing(rows, trailing, equity[trailing])
    safe[trailing] = equity[trailing] > lows
    safe &= equity < rows.high
    higher &= rows.new_peak
    higher |= observed & (rows.cash > rows.peak_balance)
    safe &= ~higher
    return safe, trailing, lows


def _trailing(rows: AccountRows, at: Ints, high: Ints) -> Ints:
    """Return `low` under new equity highs; a share of the way to the floor is rounded towards equity."""
    gap = rows.trail_gap[at] + scale(high, rows.trail_pct[at], PERCENT_UNIT)
    floor = np.minimum(high - gap, rows.trail_stop[at])
    share = rows.trail_share[at]
    look = np.where(share == UNIT, floor, high + scale(floor - high, share, UNIT) + 1)
    return np.maximum(look, rows.low_of_other_limits[at])
