"""Rate limits by token bucket: one bucket for each bearer, filled at its role's rate; one for each anonymous address.

`RequestRates` counts requests, `ProcessorShares` the processor time that requests use.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping

from services.principals import Principal

BUCKETS_MAX = 100_000  # beyond it the bucket unused for longest is dropped: it is full again, or nearly
DEBT_SECONDS_MAX = 10.0  # the largest debt, in seconds of the rate: no request delays its bearer longer

Clock = Callable[[], float]


class TokenBuckets:
    """The buckets of this process. Used from one event loop."""

    def __init__(self, per_second: Mapping[str, float], burst_seconds: float, least: float, now: Clock) -> None:
        """`per_second`: by role, or NOBODY. A full bucket holds `burst_seconds` of its rate, at least `least`."""
        self._per_second = per_second
        self._burst = burst_seconds
        self._least = least
        self._now = now
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # by key: content and time

    def rate(self, bearer: Principal | None) -> float:
        """Return the rate at which the bearer's bucket fills, per second."""
        return self._per_second[bearer.role if bearer else "NOBODY"]

    def left(self, bearer: Principal | None, address: str) -> float:
        """Return the content of the bearer's bucket now."""
        rate = self.rate(bearer)
        most, now = max(self._least, rate * self._burst), self._now()
        left, then = self._buckets.get(_key(bearer, address), (most, now))
        return min(most, left + (now - then) * rate)

    def put(self, bearer: Principal | None, address: str, left: float) -> None:
        """Set the content of the bearer's bucket now."""
        key = _key(bearer, address)
        self._buckets[key] = (left, self._now())
        self._buckets.move_to_end(key)
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)


def _key(bearer: Principal | None, address: str) -> Hashable:
    return bearer.key if bearer else address


class RequestRates(TokenBuckets):
    """Buckets of requests, filled in requests per second."""

    def __init__(self, per_second: Mapping[str, float], burst_seconds: float, now: Clock = time.monotonic) -> None:
        super().__init__(per_second, burst_seconds, 1.0, now)

    def take(self, bearer: Principal | None, address: str) -> float:
        """Take one request from the bearer's bucket. Return 0, or the seconds until the next request is allowed."""
        left = self.left(bearer, address)
        self.put(bearer, address, left - 1 if left >= 1 else left)
        return 0.0 if left >= 1 else (1 - left) / self.rate(bearer)


class ProcessorShares(TokenBuckets):
    """Buckets of processor seconds, filled in seconds per second. They may be overdrawn: cost is known afterwards."""

    def __init__(self, per_second: Mapping[str, float], burst_seconds: float, now: Clock = time.monotonic) -> None:
        super().__init__(per_second, burst_seconds, 0.0, now)

    def wait(self, bearer: Principal | None, address: str) -> float:
        """Return 0, or the seconds until the bearer has processor time again."""
        left = self.left(bearer, address)
        return 0.0 if left > 0 else -left / self.rate(bearer) + 0.001

    def spend(self, bearer: Principal | None, address: str, seconds: float) -> None:
        """Take processor time from the bearer's bucket."""
        least = -DEBT_SECONDS_MAX * self.rate(bearer)
        self.put(bearer, address, max(least, self.left(bearer, address) - seconds))
