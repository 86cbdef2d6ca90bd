"""Errors that show that the database is unavailable, as opposed to a wrong statement."""

import asyncpg
from tortoise.exceptions import DBConnectionError

CAUSES_MAX = 5  # links of the chain of causes that are searched


class Away(ConnectionError):
    """The database is known to be unavailable, so no statement was sent."""


AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # a database that does not accept connections
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InternalClientError,
    DBConnectionError,
)
"""Errors of a statement while the database is unavailable or too busy: the same statement may succeed later.

Every other error of PostgreSQL is caused by the statement itself, so each new attempt raises it again.
"""

_OF_THE_STATEMENT = (
    asyncpg.QueryCanceledError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    ValueError,
)
"""Errors of AWAY that the statement or another transaction causes while the server is available."""


def outage(error: BaseException | None) -> BaseException | None:
    """Return the error in the chain of causes that shows that the database is unavailable, or None."""
    for _ in range(CAUSES_MAX):
        if error is None:
            return None
        if isinstance(error, AWAY) and not isinstance(error, _OF_THE_STATEMENT):
            return error
        error = error.__cause__
    return None
