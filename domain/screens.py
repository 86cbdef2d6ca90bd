"""All rules at once, in columns: equity against two thresholds an account, and where those lie.

`screen` is headroom.thresholds of many accounts, for a book that is loaded whole.

Exact where an account is as most are: nothing told today, no limit met by its balance alone. The others are `odd`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from decimal import Decimal

import numpy as np

from domain.columns import LEAST, MOST, UNIT, Columns, Flags, Ints, scale, units
from domain.lifecycles import ChallengeStatus
from domain.money import ONE
from domain.rows import Rows
from domain.terms import Limit, Measured, PercentOf, PhaseTerms, PhaseType, Policy, Reference, Trail

FIGURE_MAX = 2**53  # exclusive, in units: what is larger is odd, so that no product below wraps
PCT_MAX = 1_000
HUNDREDTH = 100 * UNIT


@dataclass(slots=True)
class Figures(Columns):
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
class Screen(Columns):
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
class Level:
    """A limit's level for each of the accounts."""

    limit: Limit
    reference: Ints
    level: Ints
    ceiling: bool = False
    share: Decimal = ONE
    total: bool = False  # it is the total loss limit's


def screen(figures: Figures, policy: Policy, status: ChallengeStatus | None, terms: PhaseTerms | None) -> Screen:
    """The thresholds of accounts under one policy and one phase's terms. `status` is their phase's, None without."""
    answer = Screen.empty(figures.length)
    answer.low[:], answer.high[:], answer.trail_stop[:] = LEAST, MOST, MOST
    if not _is_tame(policy, terms):
        answer.odd[:] = True
        return answer
    if status is not None and status is not ChallengeStatus.ACTIVE:
        return answer
    answer.odd[:] = _too_large(figures)
    answer.low_else[:] = LEAST
    for bound in _bounds(figures, policy, terms if status is not None else None):
        _look(answer, bound, figures.cash)
        if bound.total and bound.share == ONE and terms:
            _trail(answer, terms, figures.initial_balance, bound.level)
    return answer


def _is_tame(policy: Policy, terms: PhaseTerms | None) -> bool:
    limits = [] if terms is None else [terms.daily_loss, terms.total_loss, terms.daily_profit, terms.profit_target]
    return max([policy.liquidation_pct, *(limit.pct for limit in limits)]) <= PCT_MAX


def _too_large(figures: Figures) -> Flags:
    columns = [getattr(figures, field.name) for field in fields(Figures)]
    large: Flags = np.logical_or.reduce([np.abs(column) >= FIGURE_MAX for column in columns])
    return large


def _percent(column: Ints, pct: Decimal) -> Ints:
    return scale(column, units(pct), HUNDREDTH)


def _distance(limit: Limit, initial: Ints, reference: Ints, start_balance: Ints) -> Ints:
    if limit.amount is not None:
        return np.full(len(initial), units(limit.amount), np.int64)
    if limit.percent_of is PercentOf.DAY_START_BALANCE:
        return _percent(start_balance, limit.pct)
    return _percent(initial if limit.percent_of is PercentOf.INITIAL else reference, limit.pct)


def _bounds(figures: Figures, policy: Policy, terms: PhaseTerms | None) -> Iterator[Level]:
    """Every configured level; where a phase runs with its early warnings."""
    start, initial = figures.starting_balance, figures.initial_balance
    if policy.liquidation_pct > 0:
        yield from _with_warnings(Level(Limit(), start, _percent(start, policy.liquidation_pct)), terms)
    if terms is None:
        return
    for limit, ceiling in ((terms.daily_loss, False), (terms.daily_profit, True)):
        if limit.configured:
            reference = _daily_reference(limit, figures)
            gap = _distance(limit, initial, reference, figures.day_start_balance)
            yield from _with_warnings(Level(limit, reference, reference + (gap if ceiling else -gap), ceiling), terms)
    if terms.total_loss.configured:
        yield from _with_warnings(_total(figures, terms.total_loss), terms)
    if terms.type is PhaseType.EVALUATION and terms.profit_target.configured:
        goal = initial + _distance(terms.profit_target, initial, initial, initial)
        yield Level(terms.profit_target, initial, goal, ceiling=True)


def _daily_reference(limit: Limit, figures: Figures) -> Ints:
    balance, equity = figures.day_start_balance, figures.day_start_equity
    if limit.reference is Reference.HIGHER:
        return np.maximum(balance, equity)
    return balance if limit.reference is Reference.BALANCE else equity


def _total(figures: Figures, limit: Limit) -> Level:
    initial = figures.initial_balance
    peaks = {
        Trail.STATIC: initial,
        Trail.TRAIL_INTRADAY: figures.peak_equity,
        Trail.TRAIL_BALANCE: figures.peak_balance,
        Trail.TRAIL_END_OF_DAY: figures.peak_end_of_day,
    }
    reference = np.maximum(initial, peaks[limit.trail])
    floor = reference - _distance(limit, initial, reference, initial)
    stop = _stop(limit, initial)
    return Level(limit, reference, floor if stop is None else np.minimum(floor, stop), total=True)


def _stop(limit: Limit, initial: Ints) -> Ints | None:
    if limit.lock_at is None:
        return None
    stop: Ints = np.maximum(initial + units(limit.lock_at), initial - _distance(limit, initial, initial, initial))
    return stop


def _with_warnings(bound: Level, terms: PhaseTerms | None) -> Iterator[Level]:
    """A warning's level is the nearer by up to a unit: a half may have been rounded the other way."""
    yield bound
    nearer = -1 if bound.ceiling else 1
    for share in terms.warn_at if terms else ():
        level = bound.reference + scale(bound.level - bound.reference, units(share), UNIT) + nearer
        yield Level(bound.limit, bound.reference, level, bound.ceiling, share, bound.total)


def _look(answer: Screen, bound: Level, cash: Ints) -> None:
    """Watch the level, where equity can meet it; who meets it by the balance alone is odd."""
    measured, level = bound.limit.measured, bound.level
    if measured is not Measured.EQUITY:
        answer.odd |= cash >= level if bound.ceiling else cash <= level
    if measured is Measured.BALANCE or (measured is Measured.LOWER and bound.ceiling):
        return
    if bound.ceiling:
        np.minimum(answer.high, level, out=answer.high)
        return
    np.maximum(answer.low, level, out=answer.low)
    if not bound.total:
        np.maximum(answer.low_else, level, out=answer.low_else)


def _trail(answer: Screen, terms: PhaseTerms, initial: Ints, floor: Ints) -> None:
    """How the floor follows a new high of equity, as rows.figures_of says it."""
    limit = terms.total_loss
    if not limit.configured or limit.trail is not Trail.TRAIL_INTRADAY:
        return
    stop = _stop(limit, initial)
    moves = np.full(len(initial), True) if stop is None or terms.warn_at else floor != stop
    if limit.measured is not Measured.EQUITY:
        answer.new_peak[:] = moves
        return
    answer.trails[:] = moves
    if limit.amount is None and limit.percent_of is PercentOf.REFERENCE:
        answer.trail_pct[:] = units(limit.pct)
    else:
        answer.trail_gap[:] = _distance(limit, initial, initial, initial)
    if stop is not None:
        answer.trail_stop[:] = stop
    answer.trail_share[:] = units(min(terms.warn_at, default=ONE))


def judged(rows: Rows, equity: Ints, observed: Flags) -> tuple[Flags, Ints, Ints]:
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


def _trailing(rows: Rows, at: Ints, high: Ints) -> Ints:
    """The lows under new highs of equity; a share of the way to the floor is rounded to the nearer side."""
    gap = rows.trail_gap[at] + scale(high, rows.trail_pct[at], HUNDREDTH)
    floor = np.minimum(high - gap, rows.trail_stop[at])
    share = rows.trail_share[at]
    look = np.where(share == UNIT, floor, high + scale(floor - high, share, UNIT) + 1)
    return np.maximum(look, rows.low_else[at])
