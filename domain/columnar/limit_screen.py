"""All rules at once, in columns: equity against two thresholds an account, and where those lie.

`screen_limits` is headroom.thresholds of many accounts, for a book that is loaded whole.

Exact where an account is as most are: nothing told today, no limit met by its balance alone. The others are `odd`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from decimal import Decimal

import numpy as np

from domain import limit_levels
from domain.arithmetic import COLUMN, HUNDREDTH
from domain.columnar.account_rows import AccountRows
from domain.columnar.fixed_point import LEAST, MOST, UNIT, Columns, Flags, Ints, scale, units
from domain.lifecycles import ChallengeStatus
from domain.limit_levels import LevelFigures
from domain.money import ONE
from domain.rule_table import LEVEL_RULES, TRAILING, LevelRule
from domain.terms import Limit, Measured, PercentOf, PhaseTerms, PhaseType, Policy, Trail

FIGURE_MAX = 2**53  # exclusive, in units: what is larger is odd, so that no product below wraps
PCT_MAX = 1_000


@dataclass(slots=True)
class ScreenFigures(Columns):
    """What the levels of accounts are derived from; 0 where no phase runs. Nothing was withdrawn today."""

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
    """Columns of rows.Rows, and who is odd."""

    low: Ints
    high: Ints
    trail_gap: Ints
    trail_pct: Ints
    trail_stop: Ints
    trail_share: Ints
    low_else: Ints
    trails: Flags
    new_peak: Flags
    odd: Flags


@dataclass(frozen=True, slots=True)
class ColumnLevel:
    """A rule's level for each of the accounts; `share` is below 1 for an early warning."""

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
        answer.odd[:] = True
        return answer
    if status is not None and status is not ChallengeStatus.ACTIVE:
        return answer
    answer.odd[:] = _too_large(figures)
    answer.low_else[:] = LEAST
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
    """Every configured level; where a phase runs with its early warnings. Nothing was withdrawn today."""
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
    """A warning's level is the nearer by up to a unit: a half may have been rounded the other way."""
    yield bound
    nearer = -1 if bound.row.ceiling else 1
    for share in terms.warn_at if terms else ():
        level = bound.reference + scale(bound.level - bound.reference, units(share), UNIT) + nearer
        yield replace(bound, level=level, share=share)


def _look(answer: LimitScreen, bound: ColumnLevel, cash: Ints) -> None:
    """Watch the level, where equity can meet it; who meets it by the balance alone is odd."""
    measured, level = bound.limit.measured, bound.level
    if measured is not Measured.EQUITY:
        answer.odd |= cash >= level if bound.row.ceiling else cash <= level
    if measured is Measured.BALANCE or (measured is Measured.LOWER and bound.row.ceiling):
        return
    if bound.row.ceiling:
        np.minimum(answer.high, level, out=answer.high)
        return
    np.maximum(answer.low, level, out=answer.low)
    if bound.row is not TRAILING:
        np.maximum(answer.low_else, level, out=answer.low_else)


def _trail(answer: LimitScreen, terms: PhaseTerms, initial: Ints, floor: Ints) -> None:
    """How the floor follows a new high of equity, as rows.figures_of says it."""
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
    """Is no verdict possible at this equity? And the places whose low a new high moves, with their lows then."""
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
    """The lows under new highs of equity; a share of the way to the floor is rounded to the nearer side."""
    gap = rows.trail_gap[at] + scale(high, rows.trail_pct[at], HUNDREDTH)
    floor = np.minimum(high - gap, rows.trail_stop[at])
    share = rows.trail_share[at]
    look = np.where(share == UNIT, floor, high + scale(floor - high, share, UNIT) + 1)
    return np.maximum(look, rows.low_else[at])
