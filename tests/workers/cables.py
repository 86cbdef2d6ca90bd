"""A cable between a client and a server: it can be slow, be cut without a word, or refuse."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CHUNK_BYTES = 65_536
LOOK_SECONDS = 0.1


class Cable:
    """Listens on a port of 127.0.0.1 and passes everything on to the server, a TCP port or a socket's path."""

    def __init__(self, server: int | Path) -> None:
        self.server = server
        self.delay_seconds = 0.0  # before each piece, in either direction
        self.is_cut = False  # nothing passes, and nobody is told
        self._ends: list[socket.socket] = []
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    def refuse(self) -> None:
        """Close every connection, and take no new one."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._hang_up()

    def take(self) -> None:
        """Take connections again."""
        self._listener = self._listen(self.port)

    def close(self) -> None:
        self.is_cut = False
        self.refuse()

    def _hang_up(self) -> None:
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                try:
                    server = self._connect()
                except OSError:
                    client.close()
                    continue
                self._ends += [client, server]
                threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _connect(self) -> socket.socket:
        if isinstance(self.server, int):
            return socket.create_connection(("127.0.0.1", self.server))
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self.server))
        return connection

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        with client, server:
            back = threading.Thread(target=self._pass_on, args=(server, client), daemon=True)
            back.start()
            self._pass_on(client, server)
            back.join()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while piece := one.recv(CHUNK_BYTES):
                time.sleep(self.delay_seconds)
                while self.is_cut:
                    time.sleep(LOOK_SECONDS)
                other.sendall(piece)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def cable(server: int | Path) -> Iterator[Cable]:
    """A cable that lies as long as the context lasts."""
    laid = Cable(server)
    try:
        yield laid
    finally:
        laid.close()
