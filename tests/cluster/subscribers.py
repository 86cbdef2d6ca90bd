"""Subscribers over websockets that resume by cursor, at the next API process when theirs is lost."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from tests.cluster.journal import Journal

PROTOCOL = Subprotocol("graphql-transport-ws")
DOCUMENT = """subscription ($after: String) {
  challengeEvents(after: $after) { cursor position number name challengeId payload } }"""
RETRY_SECONDS = 0.25
PING_SECONDS = 5.0  # a frozen process answers no ping; then the next one is asked
OPEN_SECONDS_MAX = 10.0
AWAY = frozenset({"UNAVAILABLE", "INTERNAL", "BUSY", "RATE_LIMITED"})  # the operation is begun again


@dataclass(slots=True)
class Subscriber:
    """Follows all events of its token from the first one on, and notes each in the journal as it comes."""

    name: str
    token: str
    urls: Sequence[str]
    journal: Journal
    cursor: str = "0"
    place: int = 0
    newest: int = 0  # position of the newest event that came
    connections: int = 0
    closes: list[str] = field(default_factory=list)  # how connections and operations ended
    faults: list[str] = field(default_factory=list)  # what no subscriber should see

    async def run(self) -> None:
        """Follow until cancelled, or until the desk says that the cursor has expired, which is a fault."""
        while not self.faults:
            url = self.urls[self.place % len(self.urls)].replace("http", "ws", 1)
            try:
                await self._follow(url)
            except ConnectionClosed as closed:
                self.closes.append(str(closed.rcvd.code if closed.rcvd else 1006))
            except (OSError, TimeoutError, WebSocketException) as error:
                self.closes.append(type(error).__name__)
            self.place += 1
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self, url: str) -> None:
        """Follow one connection until it is lost."""
        options: dict[str, Any] = {"ping_interval": PING_SECONDS, "ping_timeout": PING_SECONDS, "proxy": None}
        async with connect(url, subprotocols=[PROTOCOL], open_timeout=OPEN_SECONDS_MAX, **options) as socket:
            payload = {"authorization": f"Bearer {self.token}"}
            await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
            async for text in socket:
                message = json.loads(text)
                match message["type"]:
                    case "connection_ack":
                        self.connections += 1
                        variables = {"after": self.cursor}
                        asked = {"query": DOCUMENT, "variables": variables}
                        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": asked}))
                    case "ping":
                        await socket.send(json.dumps({"type": "pong"}))
                    case "next" if "errors" not in message["payload"]:
                        self._take(message["payload"]["data"]["challengeEvents"])
                    case "next":
                        self._end(message["payload"]["errors"])
                        return
                    case "error":
                        self._end(message["payload"])
                        return
                    case "complete":
                        self._end([{"message": "complete", "extensions": {"code": "COMPLETE"}}])
                        return

    def _take(self, event: dict[str, Any]) -> None:
        self.cursor, self.newest = event["cursor"], event["position"]
        self.journal.event(self.name, event)

    def _end(self, errors: Sequence[dict[str, Any]]) -> None:
        """Note how the desk ended the operation: by what passes, or by a fault."""
        codes = [str((error.get("extensions") or {}).get("code", "none")) for error in errors]
        self.closes.append("/".join(codes))
        if not AWAY.issuperset(codes):
            self.faults.append(f"{self.name} after {self.cursor}: {codes} {errors[0].get('message')}")
