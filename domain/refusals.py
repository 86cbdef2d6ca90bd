"""An account's share of stored refusals: of one day, so that nobody fills the books with what was refused."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from domain.frozen import replace

STORED_MAX = 1_000
"""Refusals of one account that are stored on one day, if nobody sets another limit."""


@dataclass(frozen=True)
class Refusals:
    """The refused actions of one day: the trading day of a running phase, or without one a day of UTC."""

    ends_at: datetime  # of the day
    since: int  # number of the ledger row of the day's first
    stored: int = 0
    beyond: int = 0  # answered only, because the day's share was used up


def counted(
    before: Refusals | None, seq: int, at: datetime, day_ends_at: datetime | None, stored_max: int
) -> tuple[Refusals, bool]:
    """Count one more refusal at this market time, and return whether it may be stored.

    `seq` is the number of the ledger row that would tell it, `day_ends_at` the end of a running phase's trading day.
    """
    if before is None or at >= before.ends_at:
        midnight = datetime.combine(at.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
        before = Refusals(day_ends_at or midnight, seq)
    if before.stored < stored_max:
        return replace(before, stored=before.stored + 1), True
    return replace(before, beyond=before.beyond + 1), False
