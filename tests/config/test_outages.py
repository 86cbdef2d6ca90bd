"""Which errors show that the database is away."""

import asyncpg
import pytest

from config.outages import AWAY, outage


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (ConnectionRefusedError("refused"), True),
        (asyncpg.ObjectNotInPrerequisiteStateError("the database takes no connections"), True),
        (asyncpg.CannotConnectNowError("the database starts"), True),
        (asyncpg.LockNotAvailableError("the row is locked"), False),
        (asyncpg.QueryCanceledError("the statement took too long"), False),
        (asyncpg.DeadlockDetectedError("deadlock"), False),
        (asyncpg.UniqueViolationError("the key exists"), False),
    ],
)
def test_an_error_shows_an_outage_or_is_the_statements_own(error: Exception, away: bool) -> None:
    assert (outage(error) is error) == away
    assert isinstance(error, AWAY) or not away
