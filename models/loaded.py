"""Accounts as they come from the database: as the fold takes them, or unreadable and why."""

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
    """An account as stored, with its challenge and the terms it runs under."""

    account: Account
    challenge_id: int | None
    terms: Terms | None
    phase_id: int | None
    phase_index: int | None
    has_stored_answer: bool = False  # is the answer to an action that is to be submitted stored already?

    @property
    def calendar(self) -> Calendar | None:
        return Calendar(self.terms.zone, self.terms.day_start) if self.terms else None


class UnreadableAccount(NamedTuple):
    """A stored account that this program cannot read, such as one whose policy has a field of a newer version.

    `seq`, `head` and `cash` are those of the last row of its ledger, to which the failure is appended.
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
        """What is answered to whoever asks; the reason is for the log, the quarantine and the ledger."""
        return AccountUnreadable(None, account=self.account_id)


class LoadResult(NamedTuple):
    """Accounts read by one statement: those that could be read, and the others."""

    loaded: list[LoadedAccount]
    unreadable: list[UnreadableAccount]

    @property
    def all_accounts(self) -> list[LoadedAccount]:
        """All of them. Raises AccountUnreadable where one cannot be read."""
        for one in self.unreadable:
            raise one.refusal from one.reason
        return self.loaded
