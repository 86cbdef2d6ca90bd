"""The server's websockets: one whose client does not read is closed with a code of its own, and costs nobody else."""

import asyncio
from collections.abc import Hashable
from typing import Any, ClassVar, Protocol

from websockets.http11 import Request

from app.request.bytes_in_flight import BytesInFlight
from app.server.uvicorn_internals import ASGISendEvent, ClientDisconnected, WebSocketsSansIOProtocol

UNREAD = 4410  # close code: the client does not read what it asked for
UNREAD_REASON = "Read what you subscribe to."
STRANGER_BYTES = 4 << 10  # unsent, before nothing more is written to a client that has not said who it is
BUFFER_BYTES = 64 << 10  # the same for one that has
PONG_BYTES_MAX = 127  # a control frame: two bytes and at most 125 of payload
GRACE_SECONDS = 10.0  # in which it may still read up to the code
CONNECTION = "propdesk.socket"  # the scope's extension under which the application finds the socket itself


class Visit(Protocol):
    """A connection of an address, counted until it ends or its client is known."""

    def end(self) -> None: ...


class WebsocketConnection(WebSocketsSansIOProtocol):
    """Waits for its client to read, though not for ever.

    Every unsent byte, of control frames too, stands in the transport's buffer. Nothing is added to a full one, which
    is small until the client has said who it is.
    """

    unread_seconds_max: ClassVar[float] = 10.0
    flight: BytesInFlight | None = None  # where what is not sent is counted, once the client has said who it is
    bearer: Hashable = None
    _unsent = 0  # bytes that are counted there, while the client has not made room
    _is_counted = False  # while they are counted by whoever has written them
    _pong = b""  # the answer to the newest ping that found the buffer full: RFC 6455, 5.5.3 asks for no other
    visit: Visit | None = None  # set by the HTTP connection that it was
    _stalled: asyncio.TimerHandle | None = None  # while nothing more is read from a client that does not read

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=STRANGER_BYTES)

    def authenticated(self, flight: BytesInFlight, bearer: Hashable) -> None:
        """Raise the write buffer to that of an authenticated client, and count unsent bytes against the bearer.

        The heads of the handshake are forgotten: of thousands of connections they are a tenth of the memory.
        """
        self.flight, self.bearer = flight, bearer
        self.request.headers.clear()
        self.response.headers.clear()
        self.scope["headers"] = []
        if self.visit:
            self.visit.end()
        self.transport.set_write_buffer_limits(high=BUFFER_BYTES)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        scope: Any = getattr(self, "scope", None)
        if scope is not None:  # the handshake was not refused
            scope["extensions"][CONNECTION] = self

    def deliver(self, frames: bytes) -> bool:
        """Write ready frames; False, and nothing is written, while the client has not made room, or it is gone."""
        if not self.writable.is_set() or self.close_sent or self.transport.is_closing():
            return False
        if self.flight is not None and not self.flight.has_room(self.bearer, len(frames)):
            return False
        self.transport.write(frames)
        return True

    async def deliver_counted(self, frames: bytes) -> None:
        """Write frames whose bytes are counted by the caller, and wait until the client has made room again.

        Raises ClientDisconnected once it has not for too long, or is gone.
        """
        while not self.writable.is_set() or self.close_sent or self.transport.is_closing():
            await self.room()
        self._is_counted = True
        self.transport.write(frames)
        self._is_counted = False
        if not self.writable.is_set():
            await self.room()

    async def push(self, frames: bytes) -> None:
        """Write ready frames as soon as the client has made room, and its bearer may have so many bytes in flight.

        Raises ClientDisconnected once the client has not made room for too long, or is gone.
        """
        while not self.deliver(frames):
            await self.room()
            if self.flight is not None:
                await self.flight.wait(self.bearer, len(frames))
                is_open = self.writable.is_set() and not self.close_sent and not self.transport.is_closing()
                if is_open:
                    self.transport.write(frames)
                self.flight.count(self.bearer, -len(frames))
                if is_open:
                    return

    async def room(self) -> None:
        """Wait until the client has made room. Raises ClientDisconnected once it has not for too long, or is gone."""
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
        """Send when the client has made room. Raises ClientDisconnected once it has not for too long."""
        if not self.writable.is_set():
            await self.room()
        await super().send(message)

    def handle_ping(self) -> None:
        """Answer a ping. Where the client does not read the answers, stop reading its pings."""
        pong = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(pong)
            return
        self._pong = pong if len(pong) <= PONG_BYTES_MAX else b""  # several pings came at once: the next is answered
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
        if self.visit:
            self.visit.end()
        super().connection_lost(exc)

    def end(self, code: int, reason: str) -> None:
        """Close the connection with a code, without waiting for the client to read what was written before."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(GRACE_SECONDS, self.transport.abort)


def text_frame(text: bytes) -> bytes:
    """A server's unfragmented text frame of the websocket protocol."""
    size = len(text)
    if size < 126:
        head = bytes((0x81, size))
    elif size < 1 << 16:
        head = b"\x81\x7e" + size.to_bytes(2)
    else:
        head = b"\x81\x7f" + size.to_bytes(8)
    return head + text
