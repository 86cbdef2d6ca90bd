"""Database addresses: one URL, as the operator wrote it, in the shapes its readers want."""

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from config.errors import Problem

SCHEMES = ("postgresql", "postgres")
_NAMES = {"dbname": "database", "sslmode": "ssl"}  # libpq's word: asyncpg's
_ACCEPTED = {"host", "port", "user", "password", "database", "ssl"}


def libpq_parameters(url: str, variable: str = "DATABASE_URL") -> dict[str, Any]:
    """The URL taken apart by libpq's rules: host (or socket directory), port, user, password, dbname and its options.

    Raises Problem naming `variable` when it is not a PostgreSQL address.
    """
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        raise Problem(
            f"{variable} has the unsupported scheme {scheme!r}; use postgresql://user:password@host:port/name"
        )
    try:
        return dict(conninfo_to_dict(url))
    except ProgrammingError as error:
        raise Problem(f"{variable} is not a PostgreSQL address: {str(error).strip()}") from None


def asyncpg_parameters(url: str) -> dict[str, Any]:
    """The same for `asyncpg.connect`. Raises Problem for an option it has no word for."""
    parameters = {_NAMES.get(name, name): value for name, value in libpq_parameters(url).items()}
    if unknown := sorted(parameters.keys() - _ACCEPTED):
        raise Problem(f"DATABASE_URL has options that are not supported: {', '.join(unknown)}")
    return {"port": 5432} | parameters


def sibling(url: str, database: str) -> str:
    """The address of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def spoken(url: str) -> str:
    """The address without its password, for messages."""
    parts = libpq_parameters(url)
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
