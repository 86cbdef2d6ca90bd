"""Accounts as loaded from the database, ready for the fold, or unreadable with the reason."""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import asyncpg

from domain.accounts import Account
from domain.calendar import Calendar
from domain.errors import AccountUnreadable
from domain.terms import Terms


@dataclass(frozen=True, slots=True)
class LoadedAccount:
    """An account with its challenge, frozen terms and phase."""

    account: Account
    challenge_id: int | None
    terms: Terms | None
    phase_id: int | None
    phase_index: int | None
    has_stored_answer: bool = False  # has an action that is to be submitted been answered before?

    @property
    def calendar(self) -> Calendar | None:
        return Calendar(self.terms.zone, self.terms.day_start) if self.terms else None


class UnreadableAccount(NamedTuple):
    """A stored account that this program cannot read, for example because a newer version wrote its policy.

    `seq`, `head` and `cash` are those of the newest ledger row, after which the failure is appended.
    """

    account_id: int
    challenge_id: int | None
    seq: int
    head: bytes
    cash: Decimal
    reason: Exception

    @classmethod
    def of(cls, row: asyncpg.Record, reason: Exception) -> "UnreadableAccount":
        return cls(row["id"], row["challenge_id"], row["seq"], row["head"], row["cash"], reason)

    @property
    def refusal(self) -> AccountUnreadable:
        """The error for the caller. The reason goes to the log, the quarantine and the ledger."""
        return AccountUnreadable(None, account=self.account_id)


class LoadResult(NamedTuple):
    """The accounts read by one statement: the readable and the unreadable ones."""

    loaded: list[LoadedAccount]
    unreadable: list[UnreadableAccount]

    @property
    def all_accounts(self) -> list[LoadedAccount]:
        """Return every account. Raises AccountUnreadable if one cannot be read."""
        for one in self.unreadable:
            raise one.refusal from one.reason
        return self.loaded
