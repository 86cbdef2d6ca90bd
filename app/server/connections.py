"""The server's connections: one that is slow or idle is closed, and one too many is turned away."""

import asyncio
import resource
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from app.server.uvicorn_internals import HttpToolsProtocol, RequestResponseCycle
from app.server.websockets import WebsocketConnection
from config.keepalives import Keepalives
from config.settings import Settings
from services.telemetry import CONNECTIONS_REFUSED

ANONYMOUS = "propdesk.visit"  # the scope's extension under which the application finds the connection's visit
HEAD_BYTES_MAX = 32 << 10  # of a request's line and headers
FILES_SHARE = 0.8  # of the files the process may open; the rest is for the database, logs and whatever comes up


class ConnectionLimiter:
    """Counts the connections of this process, and by address those whose client has not shown a valid token."""

    def __init__(self, settings: Settings) -> None:
        self.head_seconds = settings.head_seconds_max
        self.silence = Keepalives(settings.client_silence_seconds_max)
        self.most = min(settings.connections_max, int(_files() * FILES_SHARE))
        self.strangers_most = min(settings.strangers_address_max, max(1, self.most // 2))
        self.strangers: Counter[str] = Counter()

    def refusal(self, connections: int, address: str) -> str | None:
        """Return why one more connection may not stay; None where it may."""
        if connections > self.most:
            return "process"
        return "address" if self.strangers[address] >= self.strangers_most else None


def _files() -> int:
    """Return how many files this process may open, after asking for as many as it may ask for."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most if most != resource.RLIM_INFINITY else 1 << 20


class AnonymousConnection:
    """One connection of an address: a stranger's until its client has shown a valid token."""

    left: Callable[[], object] | None = None  # called once the client has gone, while its request is being answered

    def __init__(self, gate: ConnectionLimiter, address: str) -> None:
        self._gate, self._address, self._counts = gate, address, True
        gate.strangers[address] += 1

    def end(self) -> None:
        """Count it no longer: its client is known now, or has gone."""
        if self._counts:
            self._counts = False
            self._gate.strangers[self._address] -= 1
            if not self._gate.strangers[self._address]:
                del self._gate.strangers[self._address]


class HttpConnection(HttpToolsProtocol):
    """An HTTP connection. A request's head has to come whole, within `head_seconds` and HEAD_BYTES_MAX."""

    gate: ConnectionLimiter  # of the class that `http_connection_class` makes
    unread_seconds_max: ClassVar[float] = 10.0
    _visit: AnonymousConnection | None = None
    _head_timer: asyncio.TimerHandle | None = None
    _unread_timer: asyncio.TimerHandle | None = None  # while the client has not made room for more of its answer
    _head_bytes = 0
    _cycles: Sequence[RequestResponseCycle] = ()  # of requests that are not answered yet

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.gate.silence.set_on(transport.get_extra_info("socket"))
        address = self.client[0] if self.client else ""
        if reason := self.gate.refusal(len(self.connections), address):
            CONNECTIONS_REFUSED.labels(reason).inc()
            self._refuse(b"503 Service Unavailable", b"Too many connections; come again in a moment.")
            return
        self._visit = AnonymousConnection(self.gate, address)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_has_come()
        self._has_room()
        self._forget_requests()
        if self._visit:
            self._visit.end()
            if self._visit.left:
                self._visit.left()
        super().connection_lost(exc)

    def _forget_requests(self) -> None:
        """Tell every request that is not answered that its client has gone: uvicorn tells the newest alone, and would
        begin those that came behind it.
        """
        self.pipeline.clear()
        for cycle in self._cycles:
            cycle.disconnected = True
            cycle.message_event.set()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._has_room()
        self._unread_timer = self.loop.call_later(self.unread_seconds_max, self._unread)

    def resume_writing(self) -> None:
        self._has_room()
        super().resume_writing()

    def _has_room(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _unread(self) -> None:
        """The client does not read its answer: whatever is left of it is thrown away."""
        CONNECTIONS_REFUSED.labels("unread").inc()
        self._forget_requests()
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():  # as after a refusal
            super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._expect_head()
        if self._visit:
            extensions: dict[str, Any] = {ANONYMOUS: self._visit}
            self.scope["extensions"] = extensions

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._count(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        self._head_has_come()
        if not self.transport.is_closing():
            super().on_headers_complete()
            if self.cycle is not None:
                self._cycles = [one for one in self._cycles if not one.response_complete] + [self.cycle]

    def handle_websocket_upgrade(self) -> None:
        self._head_has_come()
        super().handle_websocket_upgrade()
        protocol = self.transport.get_protocol()
        if isinstance(protocol, WebsocketConnection) and self._visit:
            protocol.visit = self._visit

    def _count(self, many: int) -> None:
        self._head_bytes += many
        if self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            CONNECTIONS_REFUSED.labels("head size").inc()
            self._refuse(b"431 Request Header Fields Too Large", b"The headers are larger than 32 KiB.")

    def _expect_head(self) -> None:
        self._head_has_come()
        self._head_timer = self.loop.call_later(self.gate.head_seconds, self._too_slow)

    def _head_has_come(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        CONNECTIONS_REFUSED.labels("head time").inc()
        self._refuse(b"408 Request Timeout", b"The request did not come in time.")

    def _refuse(self, status: bytes, text: bytes) -> None:
        """Answer the status and close the connection."""
        self._head_has_come()
        head = b"HTTP/1.1 %b\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (status, len(text)) + text)
        self.transport.close()


def http_connection_class(settings: Settings) -> type[HttpConnection]:
    """Return the class of a server's connections, which share one gate."""
    return type("HttpConnection", (HttpConnection,), {"gate": ConnectionLimiter(settings)})
