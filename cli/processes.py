"""Start-up checks of the long-running processes `serve` and `work`."""

import ipaddress
import logging
import socket

from cli.databases import shown
from config.address import parse
from config.broker import require_supported
from config.connection_budget import require_connections
from config.database import require_current_schema, require_same_database
from config.errors import Problem
from config.logs import configure_logging
from config.settings import Settings, load_settings

log = logging.getLogger(__name__)


def begin(process: str) -> Settings:
    """Load the settings and configure logging for the process. Raises Problem if the broker's address is unusable."""
    settings = load_settings()
    configure_logging(settings.log_level, process, settings.log_format)
    require_supported(settings.broker_url)
    return settings


def require_tls(settings: Settings) -> None:
    """Raise Problem if tokens would cross a network unencrypted: production, not on loopback, without TLS."""
    try:
        loopback = ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        loopback = settings.host == "localhost"
    if settings.environment == "production" and not loopback and not settings.tls_terminated:
        raise Problem(
            f"in production PROPDESK_HOST={settings.host} would take tokens in clear; put a proxy that speaks TLS "
            "before the desk and set PROPDESK_TLS_TERMINATED=true, or listen on 127.0.0.1"
        )


def require_free_port(settings: Settings) -> None:
    """Raise Problem if another process listens at the API's address."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise Problem(
                f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); "
                "stop what listens there, or set PROPDESK_PORT or PROPDESK_HOST"
            ) from None


async def require_ready(settings: Settings) -> None:
    """Raise Problem if the database lacks the schema of this version, or allows too few connections."""
    assert settings.database_url, "running_database has filled it in"
    if settings.read_url:
        parse(settings.read_url, "DATABASE_READ_URL")  # syntax only: the standby may be unreachable now
    await require_current_schema(settings.database_url)
    if settings.database_direct_url:
        await require_same_database(settings.database_url, settings.database_direct_url)
    await require_connections(settings)
    log.info("database: %s", shown(settings, settings.database_url))
