"""The server's websockets: one whose client does not read is closed with its own code and does not delay others."""

import asyncio
from collections.abc import Hashable
from typing import Any, ClassVar

from websockets.http11 import Request

from app.request.bytes_in_flight import BytesInFlight
from app.server.connection_limits import AnonymousConnection
from app.server.uvicorn_internals import ASGISendEvent, ClientDisconnected, WebSocketsSansIOProtocol

UNREAD = 4410  # close code: the client does not read its messages
UNREAD_REASON = "Read what you subscribe to."
ANONYMOUS_BUFFER_BYTES = 4 << 10  # of unsent messages to an anonymous client
BUFFER_BYTES = 64 << 10  # of unsent messages to an authenticated client
PONG_BYTES_MAX = 127  # a control frame: two bytes and at most 125 of payload
GRACE_SECONDS = 10.0  # for the client to read up to the close code
CONNECTION = "propdesk.websocket"  # the scope's extension that holds the WebsocketConnection


class WebsocketConnection(WebSocketsSansIOProtocol):
    """A websocket that waits for its client to read, up to a limit.

    All unsent bytes, those of control frames too, are in the transport's buffer. Nothing is added to a full buffer. The
    buffer of an anonymous client is small.
    """

    unread_seconds_max: ClassVar[float] = 10.0
    flight: BytesInFlight | None = None  # counts unsent bytes, once the client is authenticated
    bearer: Hashable = None
    _unsent = 0  # bytes counted in `flight` while the buffer is full
    _is_counted = False  # whether the caller counts the bytes that it writes
    _pong = b""  # the answer to the newest ping while the buffer was full; RFC 6455, 5.5.3 requires no other
    anonymous: AnonymousConnection | None = None  # set by the HTTP connection that was upgraded
    _stalled: asyncio.TimerHandle | None = None  # while reading is paused because the client does not read

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=ANONYMOUS_BUFFER_BYTES)

    def authenticated(self, flight: BytesInFlight, bearer: Hashable) -> None:
        """Give the client the buffer of an authenticated one, and count its unsent bytes to the bearer.

        The headers of the handshake are dropped: with thousands of connections they take a tenth of the memory.
        """
        self.flight, self.bearer = flight, bearer
        self.request.headers.clear()
        self.response.headers.clear()
        self.scope["headers"] = []
        if self.anonymous:
            self.anonymous.end()
        self.transport.set_write_buffer_limits(high=BUFFER_BYTES)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        scope: Any = getattr(self, "scope", None)
        if scope is not None:  # the handshake was not refused
            scope["extensions"][CONNECTION] = self

    def deliver(self, frames: bytes) -> bool:
        """Write ready frames and return True; False, with nothing written, if the buffer is full or the client gone."""
        if not self.writable.is_set() or self.close_sent or self.transport.is_closing():
            return False
        if self.flight is not None and not self.flight.has_room(self.bearer, len(frames)):
            return False
        self.transport.write(frames)
        return True

    async def deliver_counted(self, frames: bytes) -> None:
        """Write frames whose bytes the caller counts, and wait until the buffer has room again.

        Raises ClientDisconnected if it has none for too long, or the client has gone.
        """
        while not self.writable.is_set() or self.close_sent or self.transport.is_closing():
            await self.wait_for_room()
        self._is_counted = True
        self.transport.write(frames)
        self._is_counted = False
        if not self.writable.is_set():
            await self.wait_for_room()

    async def push(self, frames: bytes) -> None:
        """Write ready frames once the buffer has room and the bearer may have so many more bytes in flight.

        Raises ClientDisconnected if the buffer has no room for too long, or the client has gone.
        """
        while not self.deliver(frames):
            await self.wait_for_room()
            if self.flight is not None:
                await self.flight.wait(self.bearer, len(frames))
                is_open = self.writable.is_set() and not self.close_sent and not self.transport.is_closing()
                if is_open:
                    self.transport.write(frames)
                self.flight.count(self.bearer, -len(frames))
                if is_open:
                    return

    async def wait_for_room(self) -> None:
        """Wait until the buffer has room.

        Raises ClientDisconnected if it has none for too long, or the client has gone.
        """
        try:
            async with asyncio.timeout(self.unread_seconds_max):
                await self.writable.wait()
        except TimeoutError:
            self.end(UNREAD, UNREAD_REASON)
            raise ClientDisconnected from None
        if self.close_sent or self.transport.is_closing():
            raise ClientDisconnected

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.flight is not None and not self._is_counted:
            self._count_unsent(self.transport.get_write_buffer_size())

    def _count_unsent(self, size: int) -> None:
        if self.flight is not None and size != self._unsent:
            self.flight.count(self.bearer, size - self._unsent)
            self._unsent = size

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message once the buffer has room. Raises ClientDisconnected if it has none for too long."""
        if not self.writable.is_set():
            await self.wait_for_room()
        await super().send(message)

    def handle_ping(self) -> None:
        """Answer a ping. If the client does not read the answers, stop reading its pings."""
        pong = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(pong)
            return
        self._pong = pong if len(pong) <= PONG_BYTES_MAX else b""  # several answers: only the next ping is answered
        self.transport.pause_reading()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self.unread_seconds_max, self.end, UNREAD, UNREAD_REASON)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._count_unsent(0)
        if self._stalled is None:
            return
        self._stalled.cancel()
        self._stalled = None
        if not self.transport.is_closing():
            self.transport.write(self._pong)
            if not self.read_paused:
                self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
        self._count_unsent(0)
        if self.anonymous:
            self.anonymous.end()
        super().connection_lost(exc)

    def end(self, code: int, reason: str) -> None:
        """Close the websocket with a code, without waiting for the client to read earlier messages."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(GRACE_SECONDS, self.transport.abort)


def text_frame(text: bytes) -> bytes:
    """Return an unfragmented text frame of the websocket protocol, as a server sends it."""
    size = len(text)
    if size < 126:
        head = bytes((0x81, size))
    elif size < 1 << 16:
        head = b"\x81\x7e" + size.to_bytes(2)
    else:
        head = b"\x81\x7f" + size.to_bytes(8)
    return head + text
