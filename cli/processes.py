"""The two long-running processes, `serve` and `work`, as a service manager or `propdesk up` runs them."""

import asyncio
import socket

import uvicorn

from app.main import create_app
from app.sockets import Socket
from config import garbage
from config.connections import require_connections
from config.database import require_current_schema
from config.embedded import running_database
from config.errors import Problem
from config.logs import configure_logging
from config.settings import Settings, load_settings
from workers import main as worker

WEBSOCKET_MESSAGE_BYTES_MAX = 256 * 1024
STOP_SECONDS_MAX = 5


def serve() -> None:
    """Serve the API: GraphQL over HTTP and websocket, and the health check."""
    settings = _begin("api")
    require_free_port(settings)
    with running_database(settings) as ready:
        asyncio.run(_require_ready(ready))
        config = uvicorn.Config(
            create_app(ready),
            host=ready.host,
            port=ready.port,
            log_config=None,
            access_log=False,
            server_header=False,
            ws=Socket,
            ws_max_size=WEBSOCKET_MESSAGE_BYTES_MAX,
            ws_per_message_deflate=False,  # 36 KiB a connection, and every event compressed for each
            timeout_graceful_shutdown=STOP_SECONDS_MAX,
        )
        garbage.settle()
        uvicorn.Server(config).run()


def work() -> None:
    """Run a worker: jobs, marks and what is periodic."""
    settings = _begin("worker")
    with running_database(settings) as ready:
        asyncio.run(_require_ready(ready))
        garbage.settle()
        worker.run(ready)


def require_free_port(settings: Settings) -> None:
    """Raise Problem when something else listens where we are to."""
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


def _begin(process: str) -> Settings:
    settings = load_settings()
    configure_logging(settings.log_level, process, settings.log_format)
    return settings


async def _require_ready(settings: Settings) -> None:
    assert settings.database_url, "running_database has filled it in"
    await require_current_schema(settings.database_url)
    await require_connections(settings)
