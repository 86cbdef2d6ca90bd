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
    """A server that tells systemd when it listens, that its event loop goes round, and that it ends."""

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
    """Return the server of an application as a desk runs it; `options` are uvicorn's, for its address and for benches.

    Call it when everything is loaded: it tunes garbage collection for the process.
    """
    config = config_of(app, settings, **options)
    gc_tuning.settle()
    return Server(config)


def config_of(app: Starlette, settings: Settings, **options: Any) -> uvicorn.Config:
    """Return the server's configuration: parsers, limits, headers of every answer, and whose X-Forwarded-For counts."""
    fixed: dict[str, Any] = {
        "http": http_connection_class(settings),
        "loop": "auto",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "headers": list(SAFETY.items()),  # of every answer, the refusals of the HTTP parser and of handshakes too
        "proxy_headers": bool(settings.trusted_proxies),  # uvicorn's own default trusts every client on this machine
        "forwarded_allow_ips": list(settings.trusted_proxies),
        "ws": WebsocketConnection,
        "ws_max_size": WEBSOCKET_MESSAGE_BYTES_MAX,
        "ws_per_message_deflate": False,  # 36 KiB a connection, and every event compressed for each
        "timeout_graceful_shutdown": STOP_SECONDS_MAX,
    }
    return uvicorn.Config(app, **(fixed | options))
