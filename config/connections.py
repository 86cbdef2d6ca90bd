"""How many database connections we may open together, held against what the server allows."""

from config.address import spoken
from config.broker import SENDER_CONNECTIONS, WORKER_CONNECTIONS
from config.database import CONTROL_CONNECTIONS, LOW_CONNECTIONS, connection
from config.errors import Problem
from config.settings import Settings

LISTENER_CONNECTIONS = 1  # the API's own, for NOTIFY
COMMAND_CONNECTIONS = 5  # one command of the CLI beside the services


def connections_wanted(settings: Settings) -> int:
    """The most that one API, one worker and one command open on the database."""
    of_broker = 0 if settings.broker_url else SENDER_CONNECTIONS + WORKER_CONNECTIONS
    beyond = LISTENER_CONNECTIONS + LOW_CONNECTIONS + COMMAND_CONNECTIONS
    return 2 * (settings.pool_size + CONTROL_CONNECTIONS) + beyond + of_broker


async def require_connections(settings: Settings) -> None:
    """Raise Problem when the server allows fewer connections than all our processes may open."""
    assert settings.database_url, "the CLI has filled it in"
    wanted = connections_wanted(settings)
    async with connection(settings.database_url) as conn:
        allowed = await conn.fetchval(
            "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
        )
    if wanted > allowed:
        raise Problem(
            f"our processes may open {wanted} connections and {spoken(settings.database_url)} allows {allowed}; "
            "lower PROPDESK_POOL_SIZE or raise max_connections"
        )
