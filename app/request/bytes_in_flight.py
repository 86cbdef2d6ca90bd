"""Answers in flight: their bytes from before they are computed until the client's socket has taken them.

Each bearer may have so many at once, and all bearers together. Where the process fills up, a bearer may have at most
as much as is left (dynamic thresholds, as switches share their buffers), so no bearer takes what the others need.
Before an answer is computed its size is that of its fields if every page were full; afterwards it is its own. One that
turns out longer is sent all the same, and what comes after it waits.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Hashable

from schema.engine.errors import Busy, RateLimited
from services.telemetry import ANSWERS_REFUSED

FIELD_BYTES = 64  # of a field in an answer: its name, its value and the marks between them, long texts apart
LARGEST_SHARE = 4  # one answer counts as a quarter of what its bearer may have at most, or it could never be given
RETRY_SECONDS = 1.0  # after which a client that was refused may find room


class BytesInFlight:
    """The bytes in flight of this process. Used from one event loop."""

    def __init__(self, bearer_max: int, process_max: int) -> None:
        self.bearer_max, self.process_max = bearer_max, process_max
        self.bytes = 0
        self.peak = 0  # the most there have been
        self._of: Counter[Hashable] = Counter()
        self._lines: dict[Hashable, deque[tuple[int, asyncio.Future[None]]]] = {}  # by bearer those that wait

    def of(self, bearer: Hashable) -> int:
        """Return the bytes in flight to the bearer."""
        return self._of[bearer]

    def has_room(self, bearer: Hashable, size: int) -> bool:
        """May the bearer have so many bytes more? It is asked before each write to a socket, so it is quick."""
        if self.bytes + size <= min(self.bearer_max, self.process_max // 2):
            return True
        return self._of[bearer] + size <= min(self.bearer_max, self.process_max - self.bytes)

    def take(self, bearer: Hashable, size: int) -> bool:
        """Count bytes to the bearer. Return False, with nothing counted, where it may not have so many."""
        if not self.has_room(bearer, size):
            return False
        self.count(bearer, size)
        return True

    async def wait(self, bearer: Hashable, size: int) -> None:
        """Count bytes to the bearer as soon as it may have so many; first come, first served of each bearer."""
        if bearer not in self._lines and self.take(bearer, size):
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(bearer, deque()).append((size, future))
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():  # counted in the moment in which its task was cancelled
                self.count(bearer, -size)
            raise

    def count(self, bearer: Hashable, size: int) -> None:
        """Count bytes whatever the bearer may have; of a negative size, count them no longer."""
        self.bytes += size
        self.peak = max(self.peak, self.bytes)
        self._of[bearer] += size
        if not self._of[bearer]:
            del self._of[bearer]
        if size < 0 and self._lines:
            self._let_on()

    def _let_on(self) -> None:
        """Count what waits and has room by now."""
        for bearer, line in list(self._lines.items()):
            while line:
                size, future = line[0]
                if not future.done():
                    if not self.take(bearer, size):
                        break
                    future.set_result(None)
                line.popleft()
            if not line:
                del self._lines[bearer]


class AnswerReservation:
    """The bytes of one operation's answer, or of the newest of a subscription's."""

    def __init__(self, flight: BytesInFlight, bearer: Hashable = None) -> None:
        self.bearer = bearer
        self._flight = flight
        self._size = 0

    def take(self, fields: int) -> None:
        """Reserve room for an answer of so many fields.

        Raises RateLimited where its bearer has no room, Busy where the process has none.
        """
        size = self._capped(fields * FIELD_BYTES)
        if not self._flight.take(self.bearer, size):
            under_way, most = self._flight.of(self.bearer), self._flight.bearer_max
            is_own = under_way + size > most
            ANSWERS_REFUSED.labels("bearer" if is_own else "process").inc()
            if is_own:
                reason = f"Answers of {under_way} bytes are on their way to you, and {most} may be; read them"
                raise RateLimited(RETRY_SECONDS, reason)
            raise Busy.at("bytes of answers", self._flight.process_max)
        self._size = size

    async def wait(self, fields: int, size: int) -> None:
        """Wait for room for an answer of `size` bytes, as the one before, or of so many fields, if there was none."""
        size = self._capped(size or fields * FIELD_BYTES)
        await self._flight.wait(self.bearer, size)
        self._size = size

    def become(self, size: int) -> None:
        """Count the answer as it is."""
        self._flight.count(self.bearer, size - self._size)
        self._size = size

    def release(self) -> None:
        """Release the bytes: the client has read the answer, or has gone."""
        if self._size:
            self._flight.count(self.bearer, -self._size)
            self._size = 0

    def _capped(self, size: int) -> int:
        return max(1, min(size, self._flight.bearer_max // LARGEST_SHARE))
