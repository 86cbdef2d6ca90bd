"""The server that `propdesk bench api` measures: the API in a process of its own, which also writes on command.

Beside /graphql it has /stock, where each subscriber's events are executed for it alone; /emit, which commits events as
a use case does; and /bare, which writes a ready frame to every open websocket and looks at nothing.
"""

import multiprocessing
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from app.endpoint import Endpoint
from app.live.rendering import EventSelection
from app.live.websocket_protocol import WebsocketHandler
from app.live.websocket_sessions import WebsocketSessions
from app.main import create_app
from app.server.websockets import WebsocketConnection
from cli.server import server_of
from config.logs import configure_logging
from config.settings import load_settings
from models.sql import Connection
from models.views import list_pages as lists
from models.views.list_query import Filters, Listing
from models.views.visibility import Visibility
from services.unit_of_work.openings import transaction
from tools.bench.handwritten import page

BRAND, CHALLENGE = "bench", 7
HOSTILE = "hostile"  # the client for whom each count takes the database long
SLOW = "select sum(n) from (select generate_series(1, 30000000) as n) s"
BACKLOG = 1_024
CONNECTIONS = 100_000
RATE = 1e9  # requests a second: the limits are there, and not reached


class _Stock(WebsocketHandler):
    """Recognises nothing."""

    def _recognise(self, operation: Any) -> EventSelection | None:
        return None


class _StockEndpoint(Endpoint):
    graphql_transport_ws_handler_class = _Stock


async def _emit(request: Request) -> Response:
    """Commit so many transactions of so many events; answers when the last was committed."""
    asked = await request.json()
    for _ in range(asked["transactions"]):
        async with transaction() as work:
            for place in range(asked["events"]):
                facts = {"place": place, "phase_from": 1, "phase_to": 2, "account_from": 100_001, "account_to": 100_002}
                work.emit("prop.challenge.phase_changed", brand=BRAND, challenge_id=CHALLENGE, payload=facts)
    return JSONResponse(time.monotonic())


def _bare(server: uvicorn.Server) -> Any:
    async def bare(request: Request) -> Response:
        """Write the frame so many times to every websocket, without a look at anything; answers when it began."""
        frame, times = await request.body(), int(request.query_params["times"])
        transports = [one.transport for one in server.server_state.connections if isinstance(one, WebsocketConnection)]
        began = time.monotonic()
        for _ in range(times):
            for transport in transports:
                transport.write(frame)
        return JSONResponse(began)

    return bare


async def _memory(request: Request) -> Response:
    """Resident bytes of the process."""
    return JSONResponse(psutil.Process().memory_info().rss)


async def _processor(request: Request) -> Response:
    """Processor seconds of the process so far."""
    return JSONResponse(time.process_time())


async def _change(request: Request) -> Response:
    """Change the row of an account, as an action does, so that who follows it is told."""
    async with transaction() as work:
        await work.conn.execute(
            "update balances set fees = fees where account_id = $1", int(request.query_params["account"])
        )
    return JSONResponse(time.monotonic())


async def _count(
    conn: Connection, listing: Listing, visibility: Visibility, filters: Filters, most: int
) -> lists.RowCount:
    """As the API counts, and slowly for the hostile client."""
    if visibility.client == HOSTILE:
        await conn.execute(SLOW)
    return await _counted(conn, listing, visibility, filters, most)


_counted = lists.count_rows


def _serve(url: str, port: Any, core: int | None) -> None:
    lists.count_rows = _count
    if core is not None:
        os.sched_setaffinity(0, {core})
    configure_logging("ERROR", "bench")
    rates = {f"rate_{role}": RATE for role in ("admin", "manager", "trader", "nobody")}
    limits = {"connections_max": CONNECTIONS, "strangers_address_max": CONNECTIONS, "sockets_bearer_max": CONNECTIONS}
    settings = load_settings().replace(database_url=url, environment="production", **rates, **limits)
    app = create_app(settings)
    server = server_of(app, settings, ws_ping_interval=None)  # pings would be counted with the events
    stock = _StockEndpoint(settings, app.state.hub, WebsocketSessions(CONNECTIONS), None)
    app.router.routes += [
        WebSocketRoute("/stock", stock),
        Route("/emit", _emit, methods=["POST"]),
        Route("/bare", _bare(server), methods=["POST"]),
        Route("/memory", _memory),
        Route("/processor", _processor),
        Route("/change", _change, methods=["POST"]),
        Route("/page", page, methods=["POST"]),
    ]
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listening:
        port.send(listening.getsockname()[1])  # who connects now waits until it serves
        server.run([listening])


@contextmanager
def served_bench(url: str, core: int | None) -> Iterator[int]:
    """The server on the database meanwhile, bound to a processor; the port it listens on."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(url, theirs, core), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()
