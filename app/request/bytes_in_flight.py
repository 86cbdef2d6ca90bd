"""Bytes of answers in flight: from before an answer is computed until the client's socket has taken it.

One bearer has a limit, and the process has one for all bearers. As the process fills up, a bearer may have at most as
many bytes as are left (dynamic thresholds, as network switches share buffers), so no bearer takes the room of others.
Before an answer is computed it counts as the fields it has if every page is full; afterwards it counts its own bytes.
An answer that turns out larger is still sent, and later answers wait.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Hashable

from schema.engine.errors import Busy, RateLimited
from services.telemetry import ANSWERS_REFUSED

FIELD_BYTES = 64  # of a field in an answer: name, value and punctuation, except for long texts
LARGEST_SHARE = 4  # one answer reserves at most a quarter of its bearer's limit, so that it can be admitted
RETRY_SECONDS = 1.0  # after which a refused client may find room


class BytesInFlight:
    """The bytes in flight of this process, by bearer. Used from one event loop."""

    def __init__(self, bearer_max: int, process_max: int) -> None:
        self.bearer_max, self.process_max = bearer_max, process_max
        self.bytes = 0
        self.peak = 0  # the most bytes so far
        self._by_bearer: Counter[Hashable] = Counter()
        self._queues: dict[Hashable, deque[tuple[int, asyncio.Future[None]]]] = {}  # waiting answers by bearer

    def of(self, bearer: Hashable) -> int:
        """Return the bytes in flight to the bearer."""
        return self._by_bearer[bearer]

    def has_room(self, bearer: Hashable, size: int) -> bool:
        """Return whether the bearer may have so many more bytes. Called before each write to a socket."""
        if self.bytes + size <= min(self.bearer_max, self.process_max // 2):
            return True
        return self._by_bearer[bearer] + size <= min(self.bearer_max, self.process_max - self.bytes)

    def take(self, bearer: Hashable, size: int) -> bool:
        """Count bytes to the bearer and return True; False, with nothing counted, if there is no room for them."""
        if not self.has_room(bearer, size):
            return False
        self.count(bearer, size)
        return True

    async def wait(self, bearer: Hashable, size: int) -> None:
        """Count bytes to the bearer once there is room for them, in the order of the bearer's answers."""
        if bearer not in self._queues and self.take(bearer, size):
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(bearer, deque()).append((size, future))
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():  # counted just before its task was cancelled
                self.count(bearer, -size)
            raise

    def count(self, bearer: Hashable, size: int) -> None:
        """Count bytes to the bearer regardless of limits; a negative size releases bytes."""
        self.bytes += size
        self.peak = max(self.peak, self.bytes)
        self._by_bearer[bearer] += size
        if not self._by_bearer[bearer]:
            del self._by_bearer[bearer]
        if size < 0 and self._queues:
            self._admit_waiting()

    def _admit_waiting(self) -> None:
        """Count the waiting answers for which there is room now."""
        for bearer, queue in list(self._queues.items()):
            while queue:
                size, future = queue[0]
                if not future.done():
                    if not self.take(bearer, size):
                        break
                    future.set_result(None)
                queue.popleft()
            if not queue:
                del self._queues[bearer]


class AnswerReservation:
    """The bytes reserved for one operation's answer, or for the newest answer of a subscription."""

    def __init__(self, flight: BytesInFlight, bearer: Hashable = None) -> None:
        self.bearer = bearer
        self._flight = flight
        self._size = 0

    def take(self, fields: int) -> None:
        """Reserve room for an answer of so many fields.

        Raises RateLimited if its bearer has no room, Busy if the process has none.
        """
        size = self._capped(fields * FIELD_BYTES)
        if not self._flight.take(self.bearer, size):
            in_flight, most = self._flight.of(self.bearer), self._flight.bearer_max
            is_own = in_flight + size > most
            ANSWERS_REFUSED.labels("bearer" if is_own else "process").inc()
            if is_own:
                reason = f"Answers of {in_flight} bytes are on their way to you, and the limit is {most}; read them"
                raise RateLimited(RETRY_SECONDS, reason)
            raise Busy.at("bytes of answers", self._flight.process_max)
        self._size = size

    async def wait(self, fields: int, size: int) -> None:
        """Wait for room for an answer as large as the last one, `size` bytes; for the first one, of so many fields."""
        size = self._capped(size or fields * FIELD_BYTES)
        await self._flight.wait(self.bearer, size)
        self._size = size

    def become(self, size: int) -> None:
        """Count the answer's real size instead of the reserved one."""
        self._flight.count(self.bearer, size - self._size)
        self._size = size

    def release(self) -> None:
        """Release the bytes, after the client has read the answer or has gone."""
        if self._size:
            self._flight.count(self.bearer, -self._size)
            self._size = 0

    def _capped(self, size: int) -> int:
        return max(1, min(size, self._flight.bearer_max // LARGEST_SHARE))
