"""The HTTP and websocket server that runs the API."""

import asyncio
import socket
from typing import Any

import uvicorn
from starlette.applications import Starlette

from app.server.connections import http_connection_class
from app.server.websockets import WebsocketConnection
from config import gc_tuning, service_manager
from config.headers import SAFETY
from config.settings import Settings

WEBSOCKET_MESSAGE_BYTES_MAX = 256 * 1024
STOP_SECONDS_MAX = 5


class Server(uvicorn.Server):
    """A server that notifies systemd when it listens, while its event loop runs, and when it stops."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            service_manager.tell(service_manager.READY)
            self._telling = asyncio.create_task(service_manager.tell_alive_for_ever())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        service_manager.tell(service_manager.STOPPING)
        self._telling.cancel()
        await super().shutdown(sockets)


def server_of(app: Starlette, settings: Settings, **options: Any) -> uvicorn.Server:
    """Return the configured server of an application; `options` go to uvicorn, for the address and for benchmarks.

    Call it after all modules are loaded: it tunes garbage collection for the process.
    """
    config = config_of(app, settings, **options)
    gc_tuning.settle()
    return Server(config)


def config_of(app: Starlette, settings: Settings, **options: Any) -> uvicorn.Config:
    """Return the server's configuration: parsers, limits, response headers and trusted proxies."""
    fixed: dict[str, Any] = {
        "http": http_connection_class(settings),
        "loop": "auto",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "headers": list(SAFETY.items()),  # on every response, including HTTP parse errors and refused handshakes
        "proxy_headers": bool(settings.trusted_proxies),  # uvicorn's own default trusts every client on this machine
        "forwarded_allow_ips": list(settings.trusted_proxies),
        "ws": WebsocketConnection,
        "ws_max_size": WEBSOCKET_MESSAGE_BYTES_MAX,
        "ws_per_message_deflate": False,  # it would cost 36 KiB per connection and compress each event per subscriber
        "timeout_graceful_shutdown": STOP_SECONDS_MAX,
    }
    return uvicorn.Config(app, **(fixed | options))
