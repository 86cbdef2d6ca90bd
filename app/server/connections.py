"""The server's HTTP connections: slow and idle ones are closed, and those above the limits are refused."""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from app.server.connection_limits import ANONYMOUS, AnonymousConnection, ConnectionLimiter
from app.server.uvicorn_internals import HttpToolsProtocol, RequestResponseCycle
from app.server.websockets import WebsocketConnection
from config.settings import Settings
from services.telemetry import CONNECTIONS_REFUSED

HEAD_BYTES_MAX = 32 << 10  # of a request's line and headers


class HttpConnection(HttpToolsProtocol):
    """An HTTP connection. A request's head has to arrive within `head_seconds` and HEAD_BYTES_MAX."""

    limiter: ConnectionLimiter  # set by `http_connection_class`
    unread_seconds_max: ClassVar[float] = 10.0
    _anonymous: AnonymousConnection | None = None
    _head_timer: asyncio.TimerHandle | None = None
    _unread_timer: asyncio.TimerHandle | None = None  # while the socket is full
    _head_bytes = 0
    _cycles: Sequence[RequestResponseCycle] = ()  # of unanswered requests

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.limiter.silence.set_on(transport.get_extra_info("socket"))
        address = self.client[0] if self.client else ""
        if reason := self.limiter.refusal(len(self.connections), address):
            CONNECTIONS_REFUSED.labels(reason).inc()
            self._refuse(b"503 Service Unavailable", b"Too many connections; come again in a moment.")
            return
        self._anonymous = AnonymousConnection(self.limiter, address)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_head_timer()
        self._cancel_unread_timer()
        self._forget_requests()
        if self._anonymous:
            self._anonymous.end()
            if self._anonymous.on_disconnect:
                self._anonymous.on_disconnect()
        super().connection_lost(exc)

    def _forget_requests(self) -> None:
        """Mark every unanswered request as disconnected: uvicorn marks the newest alone, and would begin later ones."""
        self.pipeline.clear()
        for cycle in self._cycles:
            cycle.disconnected = True
            cycle.message_event.set()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._cancel_unread_timer()
        self._unread_timer = self.loop.call_later(self.unread_seconds_max, self._close_unread)

    def resume_writing(self) -> None:
        self._cancel_unread_timer()
        super().resume_writing()

    def _cancel_unread_timer(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _close_unread(self) -> None:
        """Close the connection of a client that does not read its answer; the rest of the answer is dropped."""
        CONNECTIONS_REFUSED.labels("unread").inc()
        self._forget_requests()
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():  # a refused connection still gets data
            super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._expect_head()
        if self._anonymous:
            extensions: dict[str, Any] = {ANONYMOUS: self._anonymous}
            self.scope["extensions"] = extensions

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._count_head(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        self._cancel_head_timer()
        if not self.transport.is_closing():
            super().on_headers_complete()
            if self.cycle is not None:
                self._cycles = [one for one in self._cycles if not one.response_complete] + [self.cycle]

    def handle_websocket_upgrade(self) -> None:
        self._cancel_head_timer()
        super().handle_websocket_upgrade()
        protocol = self.transport.get_protocol()
        if isinstance(protocol, WebsocketConnection) and self._anonymous:
            protocol.anonymous = self._anonymous

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            CONNECTIONS_REFUSED.labels("head size").inc()
            self._refuse(b"431 Request Header Fields Too Large", b"The headers are larger than 32 KiB.")

    def _expect_head(self) -> None:
        self._cancel_head_timer()
        self._head_timer = self.loop.call_later(self.limiter.head_seconds, self._refuse_slow_head)

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse_slow_head(self) -> None:
        CONNECTIONS_REFUSED.labels("head time").inc()
        self._refuse(b"408 Request Timeout", b"The request did not come in time.")

    def _refuse(self, status: bytes, text: bytes) -> None:
        """Send the status and close the connection."""
        self._cancel_head_timer()
        head = b"HTTP/1.1 %b\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (status, len(text)) + text)
        self.transport.close()


def http_connection_class(settings: Settings) -> type[HttpConnection]:
    """Return the class of a server's connections, which share one limiter."""
    return type("HttpConnection", (HttpConnection,), {"limiter": ConnectionLimiter(settings)})
