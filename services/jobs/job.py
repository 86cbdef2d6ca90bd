"""A job as its handler receives it."""

from dataclasses import dataclass
from typing import Any

from services.unit_of_work.roots import LockRoot


@dataclass(frozen=True, slots=True)
class Job:
    id: int
    brand: str
    kind: str
    challenge_id: int | None
    account_id: int | None
    facts: dict[str, Any]
    attempts: int

    @property
    def root(self) -> LockRoot:
        """The lock root that the job works under."""
        if self.challenge_id is not None:
            return LockRoot.of_challenge(self.challenge_id)
        assert self.account_id is not None, "a job has a lock root"
        return LockRoot.of_account(self.account_id)


class WaitForQuotes(Exception):
    """The rest of the job needs quotes that have not come yet; what it has done is kept, and nothing is wrong."""
