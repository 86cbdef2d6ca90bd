"""An account as a row of the book: what a mark needs and moves, in int64."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.accounts import Account, PhaseRun
from domain.columns import LEAST, MOST, Columns, Flags, Ints, level, units
from domain.headroom import thresholds
from domain.ledger import microseconds
from domain.terms import PhaseTerms

NEVER = MOST  # a time no clock reaches, a batch no tape reaches
ALWAYS = LEAST


@dataclass(slots=True)
class Rows(Columns):
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
    new_peak: Flags  # a new high of equity is handed over
    by_hand: Flags  # every batch is handed over
    holds: Flags  # it has holdings, so mark_to_market rows fall due
    fresh: Flags  # not marked since it was put
    dirty: Flags


def figures_of(account: Account, opened: Decimal, terms: PhaseTerms | None) -> dict[str, int]:
    """A live account's row. Raises ValueError where a figure cannot be held."""
    bounds = thresholds(account, terms)
    figures = {
        "marked_at": time_of(account.marked_at, ALWAYS),
        "ledger_due_at": time_of(account.ledger_due_at, ALWAYS),
        "cash": units(account.cash),
        "unrealised": units(account.unrealised),
        "opened": units(opened),
        "high_watermark": units(account.high_watermark),
        "low": LEAST if bounds.low is None else level(bounds.low),
        "high": MOST if bounds.high is None else level(bounds.high),
        "new_peak": bounds.new_peak,
        "by_hand": bool(account.orders),
        "holds": bool(account.positions),
    }
    return figures | _version(account) | _phase_figures(account.phase)


def unheld(account: Account) -> dict[str, int]:
    """The row of an account whose figures cannot be held."""
    return _version(account) | {"by_hand": True}


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


def time_of(moment: datetime | None, none: int) -> int:
    """Microseconds since 1970; `none` where there is no such time."""
    return none if moment is None else microseconds(moment)
