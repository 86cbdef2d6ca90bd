"""The API in this process, served on a free port for clients over HTTP and websockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
import uvicorn.server

from app.main import create_app
from app.server.websockets import WebsocketConnection
from cli.server import config_of
from config.settings import Settings
from tests.api.clients import Api, until


class _Impatient:
    """asyncio as uvicorn's server sees it here: it looks ten times as often whether it is to stop.

    Else each of hundreds of tests would wait for it a quarter of a second.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    @staticmethod
    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / 10)


setattr(uvicorn.server, "asyncio", _Impatient())  # noqa: B010 - a module's name for another one


class QuickSocket(WebsocketConnection):
    """A websocket with a short limit for clients that do not read."""

    unread_seconds_max = 0.3


@asynccontextmanager
async def running_api(settings: Settings) -> AsyncIterator[Api]:
    """Serve the API with these settings; its database pool is open in this process, too."""
    app = create_app(settings)
    server = uvicorn.Server(config_of(app, settings, port=0, ws=QuickSocket, lifespan="on"))
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started or serving.done())
    if serving.done():
        await serving  # raises what went wrong
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
        yield Api(
            http,
            f"ws://127.0.0.1:{port}/graphql",
            settings.database_url or "",
            app.state.hub,
            server,
            app.state.supervisor,
            app.state.shares,
        )
    server.should_exit = True
    await serving
