"""Where a limit bites: floors, ceilings and targets in the account's currency, exact to eight places."""

from decimal import Decimal

from domain.money import percent
from domain.terms import Limit, Measured, PercentOf, Reference, Trail


def distance(limit: Limit, initial: Decimal, reference: Decimal, start_balance: Decimal) -> Decimal:
    """Return how far the level lies from its reference; a percentage is rounded half-even to eight places."""
    if limit.amount is not None:
        return limit.amount
    if limit.percent_of is PercentOf.DAY_START_BALANCE:
        return percent(start_balance, limit.pct)
    return percent(initial if limit.percent_of is PercentOf.INITIAL else reference, limit.pct)


def figure(of: Reference, balance: Decimal, equity: Decimal) -> Decimal:
    """Return the balance, the equity or the higher of both."""
    if of is Reference.HIGHER:
        return max(balance, equity)
    return balance if of is Reference.BALANCE else equity


def daily_reference(limit: Limit, start_balance: Decimal, start_equity: Decimal) -> Decimal:
    """The figure of the day's start that a daily limit is counted from."""
    return figure(limit.reference, start_balance, start_equity)


def daily_floor(limit: Limit, initial: Decimal, start_balance: Decimal, start_equity: Decimal) -> Decimal:
    """The level a daily loss must not fall below."""
    reference = daily_reference(limit, start_balance, start_equity)
    return reference - distance(limit, initial, reference, start_balance)


def daily_ceiling(limit: Limit, initial: Decimal, start_balance: Decimal, start_equity: Decimal) -> Decimal:
    """The level a daily profit must not rise above."""
    reference = daily_reference(limit, start_balance, start_equity)
    return reference + distance(limit, initial, reference, start_balance)


def total_reference(
    limit: Limit, initial: Decimal, peak_equity: Decimal, peak_balance: Decimal, peak_end_of_day: Decimal
) -> Decimal:
    """The high a total loss limit trails, never below the initial balance."""
    if limit.trail is Trail.STATIC:
        return initial
    peaks = {
        Trail.TRAIL_INTRADAY: peak_equity,
        Trail.TRAIL_BALANCE: peak_balance,
        Trail.TRAIL_END_OF_DAY: peak_end_of_day,
    }
    return max(initial, peaks[limit.trail])


def total_stop(limit: Limit, initial: Decimal) -> Decimal | None:
    """Where a trailing floor stops for good; None: never. It stops no lower than it started."""
    if limit.lock_at is None:
        return None
    return max(initial + limit.lock_at, initial - distance(limit, initial, initial, initial))


def total_floor(
    limit: Limit, initial: Decimal, peak_equity: Decimal, peak_balance: Decimal, peak_end_of_day: Decimal
) -> Decimal:
    """The level a total loss must not fall below."""
    reference = total_reference(limit, initial, peak_equity, peak_balance, peak_end_of_day)
    floor = reference - distance(limit, initial, reference, initial)
    stop = total_stop(limit, initial)
    return floor if stop is None else min(floor, stop)


def target_level(limit: Limit, initial: Decimal) -> Decimal:
    """The level that meets the profit target."""
    return initial + distance(limit, initial, initial, initial)


def liquidation_level(liquidation_pct: Decimal, starting_balance: Decimal) -> Decimal:
    """The equity at or below which an account is liquidated."""
    return percent(starting_balance, liquidation_pct)


def observe(measured: Measured, balance: Decimal, equity: Decimal) -> Decimal:
    """The figure a limit is held against."""
    if measured is Measured.LOWER:
        return min(balance, equity)
    return balance if measured is Measured.BALANCE else equity
