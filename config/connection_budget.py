"""The database connections that the processes may open together, compared with the server's limit."""

import logging

from config.address import parse
from config.broker import SENDER_CONNECTIONS, WORKER_CONNECTIONS, is_postgresql
from config.database import CONTROL_CONNECTIONS, LOW_CONNECTIONS, connection
from config.errors import Problem
from config.poolers import is_pooled
from config.sessions import quoted
from config.settings import Settings

LISTENER_CONNECTIONS = 1  # the API's own, for NOTIFY
SESSION_CONNECTIONS = 2  # a worker's, that its shards hang on; and one to end a stopped owner's transactions with
LOOKOUT_CONNECTIONS = 1  # of each process, by which it sees whether its database is there
COMMAND_CONNECTIONS = 5  # one command of the CLI beside the services

_LIMITS = """select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
    - coalesce(current_setting('reserved_connections', true)::int, 0) as server,
  (select datconnlimit from pg_database where datname = current_database()) as database,
  (select rolconnlimit from pg_roles where rolname = session_user) as login"""

log = logging.getLogger(__name__)


def connections_wanted(settings: Settings) -> int:
    """The most that one API, one worker and one command open on the database."""
    of_broker = SENDER_CONNECTIONS + WORKER_CONNECTIONS if _carries_messages(settings) else 0
    beyond = LISTENER_CONNECTIONS + LOW_CONNECTIONS + SESSION_CONNECTIONS + COMMAND_CONNECTIONS
    return 2 * (settings.pool_size + CONTROL_CONNECTIONS + LOOKOUT_CONNECTIONS) + beyond + of_broker


def _carries_messages(settings: Settings) -> bool:
    """Whether the database's server is the broker as well."""
    if not settings.broker_url:
        return True
    if not is_postgresql(settings.broker_url) or not settings.database_url:
        return False
    return parse(settings.broker_url).hosts == parse(settings.database_url).hosts


async def require_connections(settings: Settings) -> None:
    """Raise Problem when server, database or role allow fewer connections than all our processes may open.

    What a pooler allows cannot be asked, so the log says what it has to.
    """
    assert settings.database_url, "the CLI has filled it in"
    wanted, address = connections_wanted(settings), parse(settings.database_url)
    async with connection(settings.database_url) as conn:
        pooled = await is_pooled(conn)
        limits = await conn.fetchrow(_LIMITS)
        user, database = await conn.fetchrow("select session_user::text, current_database()::text")
    if pooled:
        log.info(
            "%s (%s) leads through a pooler; its pool_size and max_client_conn have to allow %s sessions at once",
            address.variable,
            address,
            wanted,
        )
        return
    mends = {
        "server": "raise max_connections",
        "database": f"ALTER DATABASE {quoted(database)} CONNECTION LIMIT {wanted};",
        "login": f"ALTER ROLE {quoted(user)} CONNECTION LIMIT {wanted};",
    }
    for kind, allowed in limits.items():
        if 0 <= allowed < wanted:  # -1: no limit of its own
            raise Problem(
                f"our processes may open {wanted} connections and the {kind} of {address} allows {allowed}; "
                f"lower PROPDESK_POOL_SIZE, or {mends[kind]}"
            )
