"""Names of asyncpg that it does not document as public, used here alone.

`tests/config/test_driver_internals.py` fails with the name when a new version of asyncpg changes one.
"""

import socket
from typing import Any

import asyncpg


class PooledConnection(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no types
    """A pooled connection whose release sends no query, because nobody changes its settings, cursors or listeners.

    Release still rolls back an open transaction, and ends a statement that was cut off. asyncpg sends a statement in
    two parts, and the server begins an implicit transaction after the first; a task that is cancelled between the two
    would leave that transaction to the next user of the connection.
    """

    _is_complete = True  # has the server answered the last statement?

    def get_reset_query(self) -> str:
        return ""

    async def _do_execute(self, *args: Any, **options: Any) -> Any:
        self._is_complete = False
        answer = await super()._do_execute(*args, **options)
        self._is_complete = True
        return answer

    async def reset(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as the pool calls it
        if self.is_in_transaction() or self._top_xact is not None:
            await super().reset(timeout=timeout)
        elif not self._is_complete:
            await self.execute("select 1", timeout=timeout)
        self._is_complete = True


def socket_of(conn: asyncpg.Connection) -> socket.socket | None:
    """Return the socket of a connection; None once it is closed."""
    found: socket.socket | None = conn._transport.get_extra_info("socket")  # noqa: SLF001 - no public name
    return found


def abort(conn: asyncpg.Connection) -> None:
    """End a connection at once, as a cut cable would; `terminate` must not be called while another task uses it."""
    conn._transport.abort()  # noqa: SLF001 - no public name


async def release(conn: asyncpg.Connection, seconds: float) -> None:
    """Return a connection to its pool within `seconds`; do nothing if it was lost, because the pool has dropped it.

    `Pool.release` does the same in a task of its own, which costs more than the release itself.
    """
    if conn._con is not None:  # noqa: SLF001 - no public name
        await conn._holder.release(seconds)  # noqa: SLF001 - no public name
