"""The server's websockets: one whose client does not read is closed with a code of its own, and costs nobody else."""

import asyncio
from typing import Any, ClassVar

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

UNREAD = 4410  # close code: the client does not read what it asked for
GRACE_SECONDS = 10.0  # in which it may still read up to the code
SELF = "propdesk.socket"  # the scope's extension under which the application finds the socket itself


class Socket(WebSocketsSansIOProtocol):
    """Waits for its client to read, though not for ever. What is unsent is bounded by the transport's buffer."""

    unread_seconds_max: ClassVar[float] = 10.0

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        scope: Any = getattr(self, "scope", None)
        if scope is not None:  # the handshake was not refused
            scope["extensions"][SELF] = self

    def deliver(self, frames: bytes) -> bool:
        """Write ready frames; False, and nothing is written, while the client has not made room, or it is gone."""
        if not self.writable.is_set() or self.close_sent or self.transport.is_closing():
            return False
        self.transport.write(frames)
        return True

    async def room(self) -> None:
        """Wait until the client has made room. Raises ClientDisconnected once it has not for too long, or is gone."""
        try:
            async with asyncio.timeout(self.unread_seconds_max):
                await self.writable.wait()
        except TimeoutError:
            self._give_up()
            raise ClientDisconnected from None
        if self.close_sent or self.transport.is_closing():
            raise ClientDisconnected

    async def send(self, message: ASGISendEvent) -> None:
        """Send when the client has made room. Raises ClientDisconnected once it has not for too long."""
        if not self.writable.is_set():
            await self.room()
        await super().send(message)

    def _give_up(self) -> None:
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": UNREAD, "reason": "unread"})
        self.conn.send_close(UNREAD, "Read what you subscribe to.")
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(GRACE_SECONDS, self.transport.abort)


def framed(text: bytes) -> bytes:
    """A server's unfragmented text frame of the websocket protocol."""
    size = len(text)
    if size < 126:
        head = bytes((0x81, size))
    elif size < 1 << 16:
        head = b"\x81\x7e" + size.to_bytes(2)
    else:
        head = b"\x81\x7f" + size.to_bytes(8)
    return head + text
