"""How often a bearer may ask: a bucket each, filled at its role's rate; nobody's requests share one by address."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping

from services.principals import Principal

BUCKETS_MAX = 100_000  # the one longest unused goes first: it is full again, or nearly


class Rates:
    """The buckets of this process. Used from one event loop."""

    def __init__(
        self, per_second: Mapping[str, float], burst_seconds: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst_seconds
        self._now = now
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # by bearer: requests left, when

    def take(self, bearer: Principal | None, address: str) -> float:
        """Take one request from the bearer's bucket: 0, or the seconds after which there will be one."""
        key: Hashable = (bearer.token_id, bearer.brand, bearer.name) if bearer else address
        rate = self._per_second[bearer.role if bearer else "NOBODY"]
        most, now = max(1.0, rate * self._burst), self._now()
        left, then = self._buckets.pop(key, (most, now))
        left = min(most, left + (now - then) * rate)
        wait = 0.0 if left >= 1 else (1 - left) / rate
        self._buckets[key] = (left - 1 if left >= 1 else left, now)
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)
        return wait
