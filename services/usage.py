"""Recent use of connections by each bearer, and whether other bearers ask at the same time."""

from collections.abc import Hashable
from math import exp

WINDOW_SECONDS = 10.0  # time constant: use so long ago counts a third of present use
BESIDE_SECONDS = 10.0  # for which a bearer counts as asking


class ConnectionUse:
    """Connections in use, and the recent average number in use (seconds of statements per second)."""

    __slots__ = ("_at", "_average", "places")

    def __init__(self, now: float) -> None:
        self.places = 0
        self._average = 0.0  # until `_at`
        self._at = now

    def average(self, now: float) -> float:
        """Return the moving average, in which older moments count less; connections in use count until now."""
        return self.places + (self._average - self.places) * exp((self._at - now) / WINDOW_SECONDS)

    def change(self, by: int, now: float) -> None:
        """Add connections in use."""
        self._average = self.average(now)
        self._at = now
        self.places += by


class RecentBearers:
    """The two bearers that asked last: for each bearer they show whether another one asks as well."""

    __slots__ = ("_last", "_last_at", "_other_at")

    def __init__(self) -> None:
        self._last: Hashable = None
        self._last_at = self._other_at = float("-inf")

    def note(self, key: Hashable, now: float) -> None:
        """Note that the bearer asks."""
        if key != self._last:
            self._last, self._other_at = key, self._last_at
        self._last_at = now

    def asks_beside(self, key: Hashable, now: float) -> bool:
        """Return whether another bearer has asked within BESIDE_SECONDS."""
        return now - (self._other_at if key == self._last else self._last_at) < BESIDE_SECONDS
