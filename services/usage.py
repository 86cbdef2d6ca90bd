"""How many connections each bearer has used of late, and whether anybody else asks beside it."""

from collections.abc import Hashable
from math import exp

WINDOW_SECONDS = 10.0  # a second that long ago counts a third of one just now
BESIDE_SECONDS = 10.0  # for so long whoever has asked counts as one that asks


class ConnectionUse:
    """The connections that are held, and how many were held on average of late: seconds of statements a second."""

    __slots__ = ("_at", "_average", "places")

    def __init__(self, now: float) -> None:
        self.places = 0
        self._average = 0.0  # until `_at`
        self._at = now

    def average(self, now: float) -> float:
        """Return the average, in which a moment counts less the longer ago it was; what is held counts until now."""
        return self.places + (self._average - self.places) * exp((self._at - now) / WINDOW_SECONDS)

    def change(self, by: int, now: float) -> None:
        """Hold so many more."""
        self._average = self.average(now)
        self._at = now
        self.places += by


class RecentBearers:
    """The two that asked last, which says of each whether another one asks, too."""

    __slots__ = ("_last", "_last_at", "_other_at")

    def __init__(self) -> None:
        self._last: Hashable = None
        self._last_at = self._other_at = float("-inf")

    def note(self, key: Hashable, now: float) -> None:
        """It asks."""
        if key != self._last:
            self._last, self._other_at = key, self._last_at
        self._last_at = now

    def asks_beside(self, key: Hashable, now: float) -> bool:
        """Return whether another one has asked within BESIDE_SECONDS."""
        return now - (self._other_at if key == self._last else self._last_at) < BESIDE_SECONDS
