"""Clients of the API: `Api` sends requests over HTTP, `Follower` follows a subscription over a websocket."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from app.live.hub import Hub
from app.request.rate_limits import ProcessorShares
from services import tokens
from services.supervision import Supervisor
from tests.services.world import value

PATIENCE_SECONDS = 30  # what has not come by then does not come
TRANSPORT = Subprotocol("graphql-transport-ws")


@dataclass(frozen=True, slots=True)
class Api:
    """A running server."""

    http: httpx.AsyncClient
    websocket_url: str
    database_url: str
    hub: Hub
    server: uvicorn.Server
    supervisor: Supervisor
    shares: ProcessorShares

    async def token(self, role: str, brand: str | None = None, subject: str | None = None) -> str:
        """Create a token and return its text."""
        return await tokens.create_token(role=role, brand=brand, name=role.lower(), subject=subject)

    async def answer(self, query: str, token: str | None = None, **variables: Any) -> dict[str, Any]:
        """Return the whole answer to an operation."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        body = json.dumps({"query": query, "variables": variables})  # httpx's own would not send a lone surrogate
        response = await self.http.post("/graphql", content=body, headers=headers)
        assert response.status_code in (200, 401), response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def ask(self, query: str, token: str, **variables: Any) -> Any:
        """Return the data of an operation without errors."""
        answer = await self.answer(query, token, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def code(self, query: str, token: str | None = None, **variables: Any) -> str:
        """Return the code of the first error."""
        answer = await self.answer(query, token, **variables)
        code: str = answer["errors"][0]["extensions"]["code"]
        return code

    @asynccontextmanager
    async def follow(self, token: str, query: str, **variables: Any) -> AsyncIterator["Follower"]:
        """Subscribe over a new websocket."""
        # With a bounded queue it would not come upon the answer to its close behind what nobody took, for ten seconds.
        async with connect(self.websocket_url, subprotocols=[TRANSPORT], max_queue=None) as socket:
            await send(socket, type="connection_init", payload={"authorization": f"Bearer {token}"})
            assert json.loads(await socket.recv())["type"] == "connection_ack"
            payload = {"query": query, "variables": variables}
            await send(socket, type="subscribe", id="1", payload=payload)
            yield Follower(socket)


@dataclass(frozen=True, slots=True)
class Follower:
    """The messages of one subscription."""

    socket: ClientConnection

    async def next(self) -> Any:
        """Return the data of the next event."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            message = json.loads(await self.socket.recv())
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]

    async def events(self, count: int) -> list[Any]:
        """Return the next events of `challengeEvents`."""
        return [(await self.next())["challengeEvents"] for _ in range(count)]


async def send(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


async def until(holds: Callable[[], bool]) -> None:
    """Wait until the condition holds; the server in this process works meanwhile."""
    pause = 0.0
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(pause)
            pause = 0.002  # a loop without one would take a processor from the server's own processes


async def stamped() -> None:
    """Wait until every event is stamped: the stamper moves events from one table to another."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await value("select exists (select from outbox)"):
            await asyncio.sleep(0.002)
