"""Time slices of the event loop: answering documents holds the loop for one slice, then other tasks have their turn.

All documents that the process answers at the same time share one slice. Work that waits for the next slice stands in
the queue of its client, and the queues are served in turn: a client with a hundred long answers delays the short
answer of another client by one slice.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable

SLICE_SECONDS = 0.01  # no document may hold the loop for 50 ms, and indivisible steps come on top of a slice
WOKEN_MAX = 32  # waiting tasks that go on in one slice: waking them costs time as well


class TimeSlices:
    """The slices of one event loop."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.waits = 0  # number of waits for the next slice
        self._clock = clock
        self._ends: float | None = None  # of the slice that has begun
        self._is_planned = False
        self._queues: dict[Hashable, deque[asyncio.Future[None]]] = {}  # by client, in the order of their turns

    def is_over(self) -> bool:
        """Return whether answering has held the loop for a whole slice; begin a slice if none has begun."""
        return self._has_passed()

    def _has_passed(self) -> bool:
        now = self._clock()
        if self._ends is not None:
            return now >= self._ends
        self._ends = now + SLICE_SECONDS
        self._plan()
        return False

    async def wait(self, client: Hashable) -> None:
        """Wait in the client's queue for the next slice, and once more if others have used that slice up."""
        self.waits += 1
        enter = deque.append
        while True:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            enter(self._queues.setdefault(client, deque()), future)
            self._plan()
            await future
            if not self._has_passed():
                return
            enter = deque.appendleft

    def _plan(self) -> None:
        if not self._is_planned:
            self._is_planned = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        """Begin a slice: other tasks have had their turn. Wake some waiting tasks, one of each client in turn."""
        self._is_planned = False
        self._ends = None
        woken = 0
        while self._queues and woken < WOKEN_MAX:
            client, queue = next(iter(self._queues.items()))
            del self._queues[client]
            future = queue.popleft()
            if queue:
                self._queues[client] = queue
            if not future.done():  # else it was cancelled
                future.set_result(None)
                woken += 1
        if self._queues:
            self._plan()
