"""What waits by turns: one of each bearer, then the next of each, and each bearer's own in their order."""

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from config.settings import settings
from domain.errors import Busy
from services.telemetry import ADMISSION_REFUSALS

RETRY_SECONDS = 1.0

Item = TypeVar("Item")


class RoundRobin(Generic[Item]):
    """A queue. Used from one event loop."""

    def __init__(self) -> None:
        self._of: OrderedDict[Hashable, deque[Item]] = OrderedDict()  # by bearer, whose turn it is first

    def __bool__(self) -> bool:
        return bool(self._of)

    def check_room(self, bearer: Hashable) -> None:
        """Raises Busy where as many of the bearer wait as may."""
        waiting, most = len(self._of.get(bearer, ())), settings().queue_bearer_max
        if waiting >= most:
            ADMISSION_REFUSALS.labels("queue").inc()
            raise Busy(waiting=waiting, waiting_max=most, retry_after=RETRY_SECONDS)

    def append(self, bearer: Hashable, item: Item) -> None:
        """Put an item behind the bearer's others."""
        self._of.setdefault(bearer, deque()).append(item)

    def put_back(self, bearer: Hashable, item: Item) -> None:
        """Put an item before the bearer's others, and let it be the bearer's turn."""
        self._of.setdefault(bearer, deque()).appendleft(item)
        self._of.move_to_end(bearer, last=False)

    def next(self) -> Item:
        """What `pop` will return."""
        return next(iter(self._of.values()))[0]

    def pop(self) -> Item:
        """Take the next item out; the next bearer has its turn."""
        bearer, items = self._of.popitem(last=False)
        item = items.popleft()
        if items:
            self._of[bearer] = items
        return item
