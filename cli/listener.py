"""A subscriber that receives every event once and in order, even if the connection or the server fails."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from cli.client import RETRY_SECONDS
from config.errors import Problem

PROTOCOL = Subprotocol("graphql-transport-ws")
PING_SECONDS = 5  # between pings, and for each pong: a dead server is noticed within twice this time
DOCUMENT = """
subscription ($after: String) {
  challengeEvents(after: $after) { cursor position number name marketTime challengeId payload }
}
"""

Event = dict[str, Any]


class Listener:
    """A subscription with one token, from the cursor `after` on; `events` holds the events received, in order."""

    def __init__(self, url: str, token: str, told: Callable[[Event], None], after: str | None = None) -> None:
        self.url = url.replace("http", "ws", 1)
        self.token = token
        self.told = told
        self.after = after
        self.events: list[Event] = []
        self.connections = 0
        self._came = asyncio.Condition()

    async def run(self) -> None:
        """Listen until cancelled; after a disconnect, resume from the last cursor. Raises Problem if refused."""
        while True:
            with suppress(OSError, WebSocketException):
                await self._listen()
            await asyncio.sleep(RETRY_SECONDS)

    async def until(self, count: int, seconds_max: float) -> bool:
        """Wait for `count` events; return False if they do not arrive in time."""
        try:
            async with self._came:
                await asyncio.wait_for(self._came.wait_for(lambda: len(self.events) >= count), seconds_max)
        except TimeoutError:
            return False
        return True

    async def _listen(self) -> None:
        async with connect(
            self.url, subprotocols=[PROTOCOL], ping_interval=PING_SECONDS, ping_timeout=PING_SECONDS
        ) as socket:
            await socket.send(
                json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {self.token}"}})
            )
            subscribe = {"query": DOCUMENT, "variables": {"after": self.after}}
            async for text in socket:
                message = json.loads(text)
                match message["type"]:
                    case "connection_ack":
                        self.connections += 1
                        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": subscribe}))
                    case "ping":
                        await socket.send(json.dumps({"type": "pong"}))
                    case "next":
                        await self._take(message["payload"])
                    case "error":
                        raise Problem(f"the subscription was refused: {message['payload'][0]['message']}")
                    case "complete":
                        return

    async def _take(self, payload: dict[str, Any]) -> None:
        if payload.get("errors"):
            raise Problem(f"the subscription failed: {payload['errors'][0]['message']}")
        event = payload["data"]["challengeEvents"]
        self.after = event["cursor"]
        async with self._came:
            self.events.append(event)
            self._came.notify_all()
        self.told(event)
