"""Helpers of the tests of outages: an API on a given database, and requests during an outage."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from app.main import create_app
from cli.server import config_of
from config.settings import Settings
from services.availability import availability
from tests.api.clients import Api, until

EVENTS = "subscription { challengeEvents { cursor name payload } }"
READ = "{ challenges { nodes { id } } }"
DEPOSIT = """mutation ($key: String!) { depositToWallet(input: {
  client: "alice", currency: "USD", amount: "5", idempotencyKey: $key}) { wallet { id } userErrors { code } } }"""


@asynccontextmanager
async def serving(url: str, **changes: Any) -> AsyncIterator[Api]:
    """Serve the API on this database, in this process."""
    app = create_app(Settings(database_url=url, tick_seconds=0.05, **changes))
    server = uvicorn.Server(config_of(app, Settings(), port=0, lifespan="on"))
    running = asyncio.create_task(server.serve())
    await until(lambda: server.started or running.done())
    if running.done():
        await running
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
        state = app.state
        try:
            yield Api(http, f"ws://127.0.0.1:{port}/graphql", url, state.hub, server, state.supervisor, state.shares)
        finally:
            server.should_exit = True
            await running


async def post(api: Api, query: str, token: str, accept: str = "application/json", **variables: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": accept}
    body = json.dumps({"query": query, "variables": variables})
    return await api.http.post("/graphql", content=body, headers=headers)


def unavailable(response: httpx.Response) -> dict[str, Any]:
    """Return the extensions of the only error; the answer is checked first."""
    assert response.status_code == 503, response.text
    assert response.headers["Retry-After"] == "1"
    [error] = response.json()["errors"]
    extensions: dict[str, Any] = error["extensions"]
    assert extensions["code"] == "UNAVAILABLE"
    assert extensions["retryAfter"] == 1.0
    return extensions


async def elsewhere(call: Any, *given: Any) -> Any:
    return await asyncio.to_thread(call, *given)


async def back() -> None:
    """Wait until the process knows that its database is back."""
    await availability().settled()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the log messages of level warning and above."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name != "asyncpg.pool"
    ]
