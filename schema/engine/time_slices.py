"""Time slices of the event loop: answering documents holds it for so long at a stretch, then everybody else comes.

The slice is of the whole process: a hundred documents that are answered at the same time share one. Who waits for the
next slice waits in the line of its bearer, and the lines are served in turn, so a bearer with a hundred long answers
delays the short answer of another by one slice.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable

SLICE_SECONDS = 0.01  # a fifth of the 50 ms that no document may hold the loop: what cannot be divided comes on top
WOKEN_MAX = 32  # that go on in one slice: waking costs time as well


class TimeSlices:
    """Says when the slice of answering is over. Used from one event loop."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.waits = 0  # how often work has waited for the next slice
        self._clock = clock
        self._ends: float | None = None  # of the slice that has begun
        self._is_planned = False
        self._lines: dict[Hashable, deque[asyncio.Future[None]]] = {}  # by bearer, in the order of their turns

    def is_over(self) -> bool:
        """Has answering held the loop for a slice since others had their turn?"""
        return self._has_passed()

    def _has_passed(self) -> bool:
        now = self._clock()
        if self._ends is not None:
            return now >= self._ends
        self._ends = now + SLICE_SECONDS
        self._plan()
        return False

    async def next(self, bearer: Hashable) -> None:
        """Wait for a slice in the line of the bearer, and for its beginning: others of this slice may use it up."""
        self.waits += 1
        enter = deque.append
        while True:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            enter(self._lines.setdefault(bearer, deque()), future)
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
        """Begin a slice: the loop has been round. Wake some of those that wait, one of each bearer in turn."""
        self._is_planned = False
        self._ends = None
        woken = 0
        while self._lines and woken < WOKEN_MAX:
            bearer, line = next(iter(self._lines.items()))
            del self._lines[bearer]
            future = line.popleft()
            if line:
                self._lines[bearer] = line
            if not future.done():  # else it was cancelled
                future.set_result(None)
                woken += 1
        if self._lines:
            self._plan()
