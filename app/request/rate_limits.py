"""How much a bearer may ask for: a bucket each, filled at its role's rate; strangers share one by address.

`RequestRates` counts requests, `ProcessorShares` the processor time that they cost.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping

from services.principals import Principal

BUCKETS_MAX = 100_000  # the one longest unused goes first: it is full again, or nearly
DEBT_SECONDS_MAX = 10.0  # of an empty bucket's rate: one dear request does not shut its bearer out for ever

Clock = Callable[[], float]


class TokenBuckets:
    """The buckets of this process. Used from one event loop."""

    def __init__(self, per_second: Mapping[str, float], burst_seconds: float, least: float, now: Clock) -> None:
        """`per_second`: by role, and NOBODY's. A full bucket holds `burst_seconds` of its rate, at least `least`."""
        self._per_second = per_second
        self._burst = burst_seconds
        self._least = least
        self._now = now
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # by bearer: what is left, when

    def rate(self, bearer: Principal | None) -> float:
        """Return what flows into the bearer's bucket in a second."""
        return self._per_second[bearer.role if bearer else "NOBODY"]

    def left(self, bearer: Principal | None, address: str) -> float:
        """Return what is in the bearer's bucket now."""
        rate = self.rate(bearer)
        most, now = max(self._least, rate * self._burst), self._now()
        left, then = self._buckets.get(_key(bearer, address), (most, now))
        return min(most, left + (now - then) * rate)

    def put(self, bearer: Principal | None, address: str, left: float) -> None:
        """Set what is in the bearer's bucket now."""
        key = _key(bearer, address)
        self._buckets[key] = (left, self._now())
        self._buckets.move_to_end(key)
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)


def _key(bearer: Principal | None, address: str) -> Hashable:
    return bearer.key if bearer else address


class RequestRates(TokenBuckets):
    """Requests a second."""

    def __init__(self, per_second: Mapping[str, float], burst_seconds: float, now: Clock = time.monotonic) -> None:
        super().__init__(per_second, burst_seconds, 1.0, now)

    def take(self, bearer: Principal | None, address: str) -> float:
        """Take one request from the bearer's bucket. Return 0, or the seconds after which there will be one."""
        left = self.left(bearer, address)
        self.put(bearer, address, left - 1 if left >= 1 else left)
        return 0.0 if left >= 1 else (1 - left) / self.rate(bearer)


class ProcessorShares(TokenBuckets):
    """Processor seconds a second. What a request costs is known afterwards, so a bucket may be overdrawn."""

    def __init__(self, per_second: Mapping[str, float], burst_seconds: float, now: Clock = time.monotonic) -> None:
        super().__init__(per_second, burst_seconds, 0.0, now)

    def wait(self, bearer: Principal | None, address: str) -> float:
        """Return 0, or the seconds after which the bearer has processor time again."""
        left = self.left(bearer, address)
        return 0.0 if left > 0 else -left / self.rate(bearer) + 0.001

    def spend(self, bearer: Principal | None, address: str, seconds: float) -> None:
        """Take processor time from the bearer's bucket."""
        least = -DEBT_SECONDS_MAX * self.rate(bearer)
        self.put(bearer, address, max(least, self.left(bearer, address) - seconds))
