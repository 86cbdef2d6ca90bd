"""Round-robin queue: one item of each bearer in turn, each bearer's items in their order."""

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from config.settings import settings
from domain.errors import Busy
from services.telemetry import ADMISSION_REFUSALS

RETRY_SECONDS = 1.0

Item = TypeVar("Item")


class RoundRobin(Generic[Item]):
    """A queue that takes turns between bearers. Used from one event loop."""

    def __init__(self) -> None:
        self._of: OrderedDict[Hashable, deque[Item]] = OrderedDict()  # by bearer, in the order of turns

    def __bool__(self) -> bool:
        return bool(self._of)

    def check_room(self, bearer: Hashable) -> None:
        """Raise Busy if too many items of the bearer wait."""
        waiting, most = len(self._of.get(bearer, ())), settings().queue_bearer_max
        if waiting >= most:
            ADMISSION_REFUSALS.labels("queue").inc()
            raise Busy(waiting=waiting, waiting_max=most, retry_after=RETRY_SECONDS)

    def append(self, bearer: Hashable, item: Item) -> None:
        """Append an item to the bearer's others."""
        self._of.setdefault(bearer, deque()).append(item)

    def put_back(self, bearer: Hashable, item: Item) -> None:
        """Put an item before the bearer's others and make the bearer next."""
        self._of.setdefault(bearer, deque()).appendleft(item)
        self._of.move_to_end(bearer, last=False)

    def next(self) -> Item:
        """Return the item that `pop` will return."""
        return next(iter(self._of.values()))[0]

    def pop(self) -> Item:
        """Remove and return the next item; the next bearer is next."""
        bearer, items = self._of.popitem(last=False)
        item = items.popleft()
        if items:
            self._of[bearer] = items
        return item
