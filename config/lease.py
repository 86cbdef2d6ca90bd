"""A session of PostgreSQL that the process holds locks on: it lives exactly as long as the process gives signs of life.

It is a connection of its own, straight to the server, on a thread with an event loop of its own, so that no work of the
process delays its signs. The server ends a session that is silent for a lease, whatever became of its process: killed,
stopped, cut off. A process whose main loop hangs ends the session itself.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import asyncpg

from config.sessions import open_session

Answer = TypeVar("Answer")

SIGNS = 5  # within a lease
SILENCE = 0.8  # of a lease, after which the server ends the session: the rest is for whoever takes its place
HANGING_SECONDS_MAX = 600.0  # without a turn of the process's main loop: no work holds it for so long

log = logging.getLogger(__name__)


class LeasedSession:
    """Opened, used and closed from one event loop, which is told when it has been lost."""

    def __init__(self, url: str, *, name: str, lease_seconds: float, channel: str, hear: Callable[[str], None]) -> None:
        """`name`: for the server, which knows it as `propdesk-<name>`. `hear` is called with what others say on the
        channel, on the loop that opens the session.
        """
        self._url = url
        self._name = name
        self._lease = lease_seconds
        self._channel = channel
        self._hear = hear
        self._loop: asyncio.AbstractEventLoop | None = None
        self._conn: asyncpg.Connection | None = None
        self._signing: asyncio.Task[None] | None = None
        self._turned = 0.0  # monotonic: the home loop's last turn

    @property
    def is_open(self) -> bool:
        """Whether the server was heard within the lease. What has just been lost may not be known yet."""
        return self._conn is not None

    async def open(self) -> None:
        """Connect anew. Raises what a connection raises."""
        self._home = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_live, args=(self._loop,), name="session", daemon=True)
            self._thread.start()
        await self._there(self._connect())

    async def run(self, work: Callable[[asyncpg.Connection], Awaitable[Answer]]) -> Answer:
        """Do something with the connection, alone. Raises what the work does, InterfaceError where it is lost."""
        return await self._there(self._alone(work))

    async def close(self) -> None:
        """Release all locks of the session."""
        if self._loop is None:
            return
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            await self._there(self._disconnect())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._loop = None
        await asyncio.to_thread(self._thread.join)

    async def _there(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Run the work on the session's own event loop."""
        if self._loop is None:
            work.close()
            raise asyncpg.InterfaceError("the session is closed")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _connect(self) -> None:
        await self._disconnect()
        conn = await open_session(
            self._url,
            process=self._name,
            settings={"idle_session_timeout": str(int(self._lease * SILENCE * 1000))},
            silence_seconds=self._lease,
            command_timeout=self._lease,
        )
        try:
            await conn.add_listener(self._channel, self._heard)
        except BaseException:
            conn.terminate()
            raise
        conn.add_termination_listener(self._lost)
        self._turned = time.monotonic()
        self._conn, self._lock = conn, asyncio.Lock()
        self._signing = asyncio.create_task(self._sign(conn))

    async def _disconnect(self) -> None:
        conn, self._conn = self._conn, None
        if self._signing is not None:
            self._signing.cancel()
        if conn is not None:
            await conn.close(timeout=self._lease)

    async def _alone(self, work: Callable[[asyncpg.Connection], Awaitable[Answer]]) -> Answer:
        conn = self._conn
        if conn is None:
            raise asyncpg.InterfaceError("the session has been lost")
        async with self._lock:
            return await work(conn)

    async def _sign(self, conn: asyncpg.Connection) -> None:
        """Give signs of life to the server, as long as the process's main loop gives them to us."""
        try:
            while time.monotonic() - self._turned < HANGING_SECONDS_MAX:
                self._home.call_soon_threadsafe(self._turn)
                async with self._lock:
                    await conn.execute("select 1")
                await asyncio.sleep(self._lease / SIGNS)
            log.error("the event loop has hung for %d s; others take over", HANGING_SECONDS_MAX)
        except Exception as error:  # noqa: BLE001 - whatever it was, the session is not what it was
            log.debug("the session has failed: %s", error)
        conn.terminate()

    def _turn(self) -> None:
        self._turned = time.monotonic()

    def _lost(self, conn: asyncpg.Connection) -> None:
        if conn is self._conn:
            self._conn = None
            if self._signing is not None:
                self._signing.cancel()
            self._home.call_soon_threadsafe(self._hear, "")

    def _heard(self, _conn: object, _pid: int, _channel: str, word: str) -> None:
        self._home.call_soon_threadsafe(self._hear, word)


def _live(loop: asyncio.AbstractEventLoop) -> None:
    """Run the session's event loop until it is closed."""
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(_cancel_all())
        loop.close()


async def _cancel_all() -> None:
    """Cancel the loop's other tasks and wait for their end."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
