"""The formulas of levels: floors, ceilings and targets, each written once for one account and for a column of them.

Amounts are in the account's currency: `Decimal`, or int64 columns in units of 1e-8 (`domain/arithmetic.py`).
"""

from decimal import Decimal
from typing import Generic, NamedTuple, Protocol

from domain.arithmetic import Amount, Arithmetic
from domain.terms import Limit, Measured, PercentOf, Reference, Trail


class LevelFigures(NamedTuple, Generic[Amount]):
    """The figures from which levels are derived; those of a phase are 0 where no phase runs."""

    starting_balance: Amount
    initial_balance: Amount
    day_start_balance: Amount
    day_start_equity: Amount
    day_withdrawn: Amount
    peak_equity: Amount
    peak_balance: Amount
    peak_end_of_day: Amount


class Level(NamedTuple, Generic[Amount]):
    """A level, and the figure it is counted from."""

    reference: Amount
    level: Amount


class Derivation(Protocol):
    """The function that derives a rule's level from its limit and the figures."""

    def __call__(
        self, limit: Limit, figures: LevelFigures[Amount], by: Arithmetic[Amount]
    ) -> Level[Amount]: ...  # pragma: no cover


def distance(limit: Limit, initial: Amount, reference: Amount, start_balance: Amount, by: Arithmetic[Amount]) -> Amount:
    """Return how far the level lies from its reference."""
    if limit.amount is not None:
        return by.amount(limit.amount)
    if limit.percent_of is PercentOf.DAY_START_BALANCE:
        return by.percent(start_balance, limit.pct)
    return by.percent(initial if limit.percent_of is PercentOf.INITIAL else reference, limit.pct)


def figure(of: Reference, balance: Amount, equity: Amount, by: Arithmetic[Amount]) -> Amount:
    """Return the balance, the equity or the higher of both."""
    if of is Reference.HIGHER:
        return by.higher(balance, equity)
    return balance if of is Reference.BALANCE else equity


def daily_loss(limit: Limit, figures: LevelFigures[Amount], by: Arithmetic[Amount]) -> Level[Amount]:
    """Return the level a daily loss must not fall below, of the day's start. A withdrawal does not lower it."""
    balance = figures.day_start_balance + figures.day_withdrawn
    reference = figure(limit.reference, balance, figures.day_start_equity + figures.day_withdrawn, by)
    return Level(reference, reference - distance(limit, figures.initial_balance, reference, balance, by))


def daily_profit(limit: Limit, figures: LevelFigures[Amount], by: Arithmetic[Amount]) -> Level[Amount]:
    """Return the level a daily profit must not rise above, of the day's start."""
    balance = figures.day_start_balance
    reference = figure(limit.reference, balance, figures.day_start_equity, by)
    return Level(reference, reference + distance(limit, figures.initial_balance, reference, balance, by))


def total_loss(limit: Limit, figures: LevelFigures[Amount], by: Arithmetic[Amount]) -> Level[Amount]:
    """The level a total loss must not fall below: of the initial balance, or of the high that the limit trails."""
    initial = figures.initial_balance
    peaks = {
        Trail.STATIC: initial,
        Trail.TRAIL_INTRADAY: figures.peak_equity,
        Trail.TRAIL_BALANCE: figures.peak_balance,
        Trail.TRAIL_END_OF_DAY: figures.peak_end_of_day,
    }
    reference = by.higher(initial, peaks[limit.trail])
    floor, stop = reference - distance(limit, initial, reference, initial, by), trail_stop(limit, initial, by)
    return Level(reference, floor if stop is None else by.lower(floor, stop))


def trail_stop(limit: Limit, initial: Amount, by: Arithmetic[Amount]) -> Amount | None:
    """Return where a trailing floor stops for good; None: never. It stops no lower than it started."""
    if limit.lock_at is None:
        return None
    return by.higher(initial + by.amount(limit.lock_at), initial - distance(limit, initial, initial, initial, by))


def profit_target(limit: Limit, figures: LevelFigures[Amount], by: Arithmetic[Amount]) -> Level[Amount]:
    """Return the level that meets the profit target."""
    initial = figures.initial_balance
    return Level(initial, initial + distance(limit, initial, initial, initial, by))


def liquidation(limit: Limit, figures: LevelFigures[Amount], by: Arithmetic[Amount]) -> Level[Amount]:
    """Return the equity at or below which an account is liquidated."""
    return Level(figures.starting_balance, by.percent(figures.starting_balance, limit.pct))


def observed_figure(measured: Measured, balance: Decimal, equity: Decimal) -> Decimal:
    """Return the figure that a limit compares with its level."""
    if measured is Measured.LOWER:
        return min(balance, equity)
    return balance if measured is Measured.BALANCE else equity
