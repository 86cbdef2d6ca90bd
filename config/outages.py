"""How PostgreSQL shows that it is away for now, as opposed to a statement that is wrong."""

import asyncpg
from tortoise.exceptions import DBConnectionError

CAUSES_MAX = 5  # of an error, one behind the other


class Away(ConnectionError):
    """The database is known to be away; nothing was asked of it."""


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
    asyncpg.ObjectNotInPrerequisiteStateError,  # a database that takes no connections for now
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InternalClientError,
    DBConnectionError,
)
"""What a statement raises while the database is away, or too busy: the same statement may succeed later.

Every other error of PostgreSQL is the statement's own, and is raised again by each attempt.
"""

_OF_THE_STATEMENT = (
    asyncpg.QueryCanceledError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    ValueError,
)
"""Of these the ones that are the statement's own trouble, or another transaction's: the server is there."""


def outage(error: BaseException | None) -> BaseException | None:
    """The error, or that of its causes, by which the database shows that it is away; None where it is not."""
    for _ in range(CAUSES_MAX):
        if error is None:
            return None
        if isinstance(error, AWAY) and not isinstance(error, _OF_THE_STATEMENT):
            return error
        error = error.__cause__
    return None
