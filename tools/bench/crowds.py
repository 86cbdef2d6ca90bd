"""Many websockets held by one loop that does as little as it can: it counts what comes, so that the server is measured.

Every connection's operation has an id of its own, all of one length: so all of them receive as many bytes.
"""

import json
import os
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

DOCUMENT = """subscription { challengeEvents {
  cursor position number name marketTime challengeId payload } }"""
SILENCE_SECONDS_MAX = 60
AT_ONCE = 100  # connections being opened
HEAD_MAX = 10
LONG, LONGER = 126, 127  # RFC 6455, 5.2: the length is in the next two, or eight, bytes
MASK = b"\x00\x00\x00\x00"


class Crowd:
    """Connections that have subscribed."""

    def __init__(self, port: int, path: str) -> None:
        self._port, self._path = port, path
        self._selector = selectors.DefaultSelector()
        self.sockets: list[socket.socket] = []
        self._bytes: list[int] = []
        self._first = b""  # what the first connection has received, of which the frames are counted
        self.frame = b""  # the last whole frame it received

    def connect(self, tokens: Sequence[str], many: int) -> None:
        """Open so many more, each with the next of the tokens; all have subscribed when this returns."""
        for start in range(0, many, AT_ONCE):
            new = [self._open(tokens[n % len(tokens)]) for n in range(start, min(start + AT_ONCE, many))]
            for one in new:
                _until(one, b"connection_ack")
            for one in new:  # the answer to a ping comes after the subscription was taken on
                operation = f"operation-{len(self.sockets):08}"
                _send(one, {"type": "subscribe", "id": operation, "payload": {"query": DOCUMENT}})
                _send(one, {"type": "ping"})
                self._add(one)
            for one in new:
                _until(one, b"pong")
                one.setblocking(False)

    def _open(self, token: str) -> socket.socket:
        one = socket.create_connection(("127.0.0.1", self._port))
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.sendall(
            f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )
        _until(one, b"\r\n\r\n")
        _send(one, {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
        return one

    def _add(self, one: socket.socket) -> None:
        self._selector.register(one, selectors.EVENT_READ, len(self.sockets))
        self.sockets.append(one)
        self._bytes.append(0)

    def take(self, frames: int) -> float:
        """Read until every connection has received so many frames more; answers when the last came."""
        self._bytes, self._first = [0] * len(self.sockets), b""
        counted, expected, open_ = 0, 0, len(self.sockets)
        deadline = time.monotonic() + SILENCE_SECONDS_MAX
        while open_:
            for key, _ in self._selector.select(timeout=1):
                data = key.fileobj.recv(1 << 18)  # type: ignore[union-attr] # all are sockets
                assert data, "the server has closed it"
                number = key.data
                self._bytes[number] += len(data)
                if number == 0:
                    counted += self._count(data)
                if expected and self._bytes[number] >= expected:
                    open_ -= 1
            if counted >= frames and not expected:
                expected = self._bytes[0]
                open_ = sum(have < expected for have in self._bytes)
            assert time.monotonic() < deadline, f"{open_} of {len(self.sockets)} wait for {frames} frames"
        assert set(self._bytes) == {expected}, "some have received more than others"
        return time.monotonic()

    def _count(self, data: bytes) -> int:
        """Return how many frames of the first connection have become whole."""
        self._first += data
        whole = 0
        while len(self._first) > HEAD_MAX:
            size, head = self._first[1], 2
            if size == LONG:
                size, head = int.from_bytes(self._first[2:4]), 4
            elif size == LONGER:
                size, head = int.from_bytes(self._first[2:10]), 10
            if len(self._first) < head + size:
                break
            self.frame, self._first = self._first[: head + size], self._first[head + size :]
            whole += 1
        return whole

    def close(self) -> None:
        """Go away without a word."""
        self._selector.close()
        for one in self.sockets:
            one.close()


def _send(one: socket.socket, message: dict[str, object]) -> None:
    text = json.dumps(message).encode()
    size = bytes((0x80 | len(text),)) if len(text) < LONG else bytes((0x80 | LONG,)) + len(text).to_bytes(2)
    one.sendall(b"\x81" + size + MASK + text)


def _until(one: socket.socket, mark: bytes) -> None:
    seen = b""
    while mark not in seen:
        data = one.recv(4096)
        assert data, f"the server has closed it: {seen!r}"
        seen += data


@contextmanager
def crowd(port: int, path: str, tokens: Sequence[str], many: int) -> Iterator[Crowd]:
    """Keep this many subscribers connected inside the block."""
    made = Crowd(port, path)
    try:
        made.connect(tokens, many)
        yield made
    finally:
        made.close()


def bound_to(core: int | None) -> None:
    """Keep this process on a processor of its own."""
    if core is not None:
        os.sched_setaffinity(0, {core})
