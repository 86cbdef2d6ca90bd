"""The ASGI application of the API process: its routes, and the tasks that run as long as the process."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app import loop_lag
from app.endpoint import Endpoint
from app.graphiql_page import PATH, GraphiqlFiles, GraphiqlPage
from app.health import UNREACHABLE, healthz, readyz
from app.index import IndexPage
from app.live.hub import Hub
from app.live.websocket_sessions import WebsocketSessions
from app.metrics import MetricsRoute, RequestCounter
from app.request.cpu_metering import meter_tasks
from app.request.http_errors import METHODS
from app.request.request_id import HEADER
from config import wakeups
from config.database import close_database, open_database
from config.settings import Settings
from config.standby import close_standby, open_standby
from services import events
from services.availability import availability
from services.epochs import Watch
from services.standby import standby
from services.supervision import Supervisor, end_process

CORS: dict[str, Any] = {  # for pages of allowed origins; the API uses no cookies, so credentials are not allowed
    "allow_methods": METHODS,
    "allow_headers": ["Authorization", "Content-Type", HEADER],
    "expose_headers": [HEADER, "Retry-After"],
}


class Application(Starlette):
    """The routes. A request to /graphql goes straight to the endpoint, which handles its own errors.

    An HTTP request with an Origin header passes the CORS middleware first; the endpoint checks websockets itself.
    """

    direct: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] != "/graphql" or _has_origin(scope):
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        await self.direct(scope, receive, send)


def _has_origin(scope: Scope) -> bool:
    return scope["type"] == "http" and any(name == b"origin" for name, _ in scope["headers"])


def create_app(settings: Settings) -> Starlette:
    """Return the ASGI application. Its lifespan opens the database, and raises Problem if it cannot be reached."""
    assert settings.direct_url, "the command line has set it"
    sessions = WebsocketSessions(settings.sockets_bearer_max)
    hub = Hub(settings.direct_url, tick_seconds=settings.tick_seconds)
    supervisor = Supervisor(settings.task_failures_max, end_process)
    page = GraphiqlPage(settings.sample_tokens) if settings.environment == "development" else None
    endpoint = Endpoint(settings, hub, sessions, page)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        meter_tasks()
        async with AsyncExitStack() as stack:
            await _open(settings, stack)
            await stack.enter_async_context(_running(supervisor.keep("database watch", availability().watch)))
            if settings.read_url:
                watch = supervisor.keep("standby watch", lambda: standby().watch())
                await stack.enter_async_context(_running(watch))
            await stack.enter_async_context(_stamping(supervisor))
            epochs = Watch(lambda: hub.head)
            await epochs.look()
            await hub.begin()
            await stack.enter_async_context(_running(hub.run(supervisor)))
            await stack.enter_async_context(_running(supervisor.keep("epoch watch", epochs.run)))
            await stack.enter_async_context(_running(supervisor.keep("token watch", sessions.run)))
            await stack.enter_async_context(
                _running(supervisor.keep("loop watch", partial(loop_lag.watch_loop, endpoint.flight)))
            )
            yield

    app = Application(
        routes=[
            Route("/", IndexPage(explores=page is not None).respond),
            Route("/graphql", endpoint),
            WebSocketRoute("/graphql", endpoint),
            *([Mount(PATH, GraphiqlFiles())] if page else []),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            *([Route("/metrics", MetricsRoute(hub, endpoint.flight).answer)] if settings.metrics else []),
        ],
        middleware=[
            Middleware(RequestCounter),
            Middleware(CORSMiddleware, allow_origins=settings.allowed_origins, **CORS),
        ],
        lifespan=lifespan,
    )
    app.direct = RequestCounter(endpoint)
    app.state.hub, app.state.supervisor, app.state.shares = hub, supervisor, endpoint.shares
    app.state.flight, app.state.slices = endpoint.flight, endpoint.slices
    return app


async def _open(settings: Settings, stack: AsyncExitStack) -> None:
    """Open the database and the sender of wake-ups; the stack closes them."""
    assert settings.database_url
    await open_database(
        settings.database_url,
        pool_size=settings.pool_size,
        name="api",
        statement_seconds=settings.statement_seconds_max,
        lock_seconds=settings.lock_seconds_max,
        shared=True,
    )
    stack.push_async_callback(close_database)
    if settings.read_url:
        await open_standby(
            settings.read_url,
            pool_size=settings.pool_size,
            name="api",
            statement_seconds=settings.statement_seconds_max,
        )
        stack.push_async_callback(close_standby)
    address = settings.broker_url or settings.direct_url
    assert address, "without a broker the database carries wake-ups"
    stack.enter_context(wakeups.sending_to(address, is_database=not settings.broker_url))


@asynccontextmanager
async def _stamping(supervisor: Supervisor) -> AsyncIterator[None]:
    """Stamp events while the context is open, and once more at its end."""
    async with _running(supervisor.keep("event stamper", events.stamp_for_ever)):
        yield
    with suppress(*UNREACHABLE):  # another process, or this one's successor, stamps them
        await events.stamp()


@asynccontextmanager
async def _running(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run the work in a task while the context is open."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
