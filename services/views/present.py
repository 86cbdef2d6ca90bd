"""List rows whose figures move with the market, brought to the moment of an answer.

A row read by itself shows its account as a mark at that moment would leave it, so that fields of one answer agree.
Pages answered in columns show what the marker has written; it writes everything when it is idle.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from services.snapshots import Present
from services.views.lists import ACCOUNTS, DAYS, LATEST, Listing, Row
from services.views.ticks import TICKS

DAY_FIGURES = ("day_start_balance", "day_start_equity", "day_low", "day_high", "peak_equity")


class PresentListing(NamedTuple):
    """A listing whose rows move with the market: the account of a row, and the row's figures at a moment."""

    account: Callable[[Row], int | None]
    figures: Callable[[Row, Present], dict[str, Any]]


def _account(_: Row, present: Present) -> dict[str, Any]:
    account, stored = present.account, present.stored.account
    names = ("cash", "equity", "unrealised", "realised", "fees", "high_watermark", "marked_through", "marked_at")
    return {
        **{name: getattr(account, name) for name in names},
        "seq": stored.seq,
        "chain_head": stored.head.hex(),
    }


def _standing(present: Present) -> dict[str, Any]:
    """Return the current figures of the account and of its phase's day."""
    account, phase = present.account, present.account.phase
    return {
        "market_time": account.marked_at,
        "batch": account.marked_through,
        "balance": account.cash,
        "equity": account.equity,
        **({name: getattr(phase, name) for name in DAY_FIGURES} if phase else {}),
    }


def _metric(row: Row, present: Present) -> dict[str, Any]:
    phase = present.account.phase
    return _standing(present) if phase and phase.running and phase.id == row["phase_id"] else {}


def _day(row: Row, present: Present) -> dict[str, Any]:
    account, phase = present.account, present.account.phase
    if phase is None or phase.day != row["number"]:
        return {}
    figures = {"low": phase.day_low, "high": phase.day_high, "traded": phase.day_traded}
    return {"balance": account.cash, "equity": account.equity, **figures}


MOVING: dict[Listing, PresentListing] = {
    ACCOUNTS: PresentListing(lambda row: row["id"], _account),
    TICKS: PresentListing(lambda row: row["account_id"], lambda _, present: _standing(present)),
    LATEST: PresentListing(lambda row: row["account_id"], _metric),
    DAYS: PresentListing(lambda row: None if row["closed"] else row["account_id"], _day),
}


def with_present_figures(listing: Listing, row: Row, present: Present) -> Row:
    """Return the row with its figures at the moment."""
    return {**row, **MOVING[listing].figures(row, present)}
