"""The server's websockets: one whose client does not read is closed with a code of its own, and costs nobody else."""

import asyncio
from typing import ClassVar

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

UNREAD = 4410  # close code: the client does not read what it asked for
GRACE_SECONDS = 10.0  # in which it may still read up to the code


class Socket(WebSocketsSansIOProtocol):
    """Waits for its client to read, though not for ever. What is unsent is bounded by the transport's buffer."""

    unread_seconds_max: ClassVar[float] = 10.0

    async def send(self, message: ASGISendEvent) -> None:
        """Send when the client has made room. Raises ClientDisconnected once it has not for too long."""
        try:
            async with asyncio.timeout(self.unread_seconds_max):
                await self.writable.wait()
        except TimeoutError:
            self._give_up()
            raise ClientDisconnected from None
        await super().send(message)

    def _give_up(self) -> None:
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": UNREAD, "reason": "unread"})
        self.conn.send_close(UNREAD, "Read what you subscribe to.")
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(GRACE_SECONDS, self.transport.abort)
