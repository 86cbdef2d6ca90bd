"""Behaviour that all brokers share: one log line per outage, no storage of failed messages, bounded calls.

Dramatiq's own brokers log an error (some with a traceback) for each attempt of each consumer, keep failed messages as
dead letters for a week, and have a second queue for delayed messages. Our messages are hints about rows of tables: none
is delayed, and none is worth keeping.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from dramatiq.broker import Broker, Consumer, MessageProxy
from dramatiq.errors import ConnectionClosed, DramatiqError

STEADY_SECONDS = 5  # without a fault, until a broker that was away is said to be back
CLOSE_SECONDS_MAX = 2  # that a consumer may take to say goodbye to a broker that does not answer
REASON_CHARACTERS_MAX = 300

log = logging.getLogger(__name__)


def innermost_reason(error: BaseException) -> str:
    """Return the innermost message of an error in one line: brokers wrap the reason, and print an empty text."""
    inner = getattr(error, "message", None) if isinstance(error, DramatiqError) else None
    inner = inner or getattr(error, "exception", None) or (error.args[0] if error.args else None)
    if isinstance(inner, BaseException):
        return innermost_reason(inner)
    told = getattr(error, "reply_text", None) or str(error) or type(error).__name__
    line = " ".join(str(told).split()).rstrip(".")
    return line if len(line) <= REASON_CHARACTERS_MAX else line[:REASON_CHARACTERS_MAX] + "..."


def closed(reason: str) -> ConnectionClosed:
    """Return the error by which Dramatiq makes a new consumer."""
    return ConnectionClosed(reason)  # type: ignore[no-untyped-call]


class Link:
    """Whether this process reaches its broker: says so once when that changes, and counts messages. Thread-safe."""

    def __init__(self, address: str, level: int = logging.WARNING) -> None:
        """`level`: at which an outage is logged."""
        self.address = address  # without a password
        self.level = level
        self.counts: Counter[str] = Counter()
        self.faults = 0
        self.is_up: bool | None = None  # None: nobody has tried yet
        self._failed_at = 0.0  # monotonic
        self._said_down = False
        self._lock = threading.Lock()

    def lost(self, error: BaseException) -> None:
        """Note a failure; log the first of an outage."""
        with self._lock:
            self.is_up, self._failed_at = False, time.monotonic()
            self.faults += 1
            said, self._said_down = self._said_down, True
        if not said:
            log.log(
                self.level,
                "the broker %s cannot be used and wake-ups cannot be sent: %s; until it can the workers find what "
                "waits by looking at the tables",
                self.address,
                innermost_reason(error),
            )

    def reached(self) -> None:
        """Note a success; log the end of an outage once it has been over for a few seconds."""
        with self._lock:
            self.is_up = True
            ended = self._said_down and time.monotonic() - self._failed_at > STEADY_SECONDS
            if ended:
                self._said_down = False
        if ended:
            log.log(min(self.level, logging.INFO), "the broker %s is in use again", self.address)

    def count(self, outcome: str) -> None:
        """Count one message."""
        with self._lock:
            self.counts[outcome] += 1


class WatchedConsumer(Consumer):
    """A consumer whose faults all become ConnectionClosed, which Dramatiq meets by making a new one.

    It holds at most `prefetch` messages that are not acknowledged. A message that failed or is too old is acknowledged
    as well: what it announced stands in tables.
    """

    def __init__(self, inner: Consumer, link: Link, prefetch: int, timeout: int) -> None:
        """`timeout` in milliseconds; a `prefetch` of 0 leaves the limit to the broker."""
        self.inner = inner
        self.link = link
        self.prefetch = prefetch
        self.timeout_seconds = timeout / 1000
        self.outstanding = 0
        self._changed = threading.Condition()

    def __next__(self) -> MessageProxy | None:
        with self._changed:
            if self.prefetch and self.outstanding >= self.prefetch:
                self._changed.wait(self.timeout_seconds)
                return None
        message: MessageProxy | None = self._call(self._next)
        if message is not None:
            self.link.count("received")
            with self._changed:
                self.outstanding += 1
        return message

    def _next(self) -> MessageProxy | None:
        try:
            return next(self.inner)
        except StopIteration:
            raise closed("the queue is gone") from None

    def ack(self, message: MessageProxy) -> None:
        self._call(self.inner.ack, message)
        with self._changed:
            self.outstanding = max(0, self.outstanding - 1)  # it may be of the consumer before this one
            self._changed.notify()

    def nack(self, message: MessageProxy) -> None:
        self.ack(message)
        self.link.count("dropped")

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        if of_them := list(messages):
            within(CLOSE_SECONDS_MAX, lambda: self._call(self.inner.requeue, of_them))

    def close(self) -> None:
        within(CLOSE_SECONDS_MAX, self.inner.close)

    def _call(self, work: Callable[..., Any], *args: Any) -> Any:
        try:
            answer = work(*args)
        except Exception as error:  # whatever the broker's trouble, another connection is the remedy
            self.link.lost(error)
            raise closed(innermost_reason(error)) from error
        self.link.reached()
        return answer


class WakeUpBroker(Broker):
    """Additions to Dramatiq's brokers; comes before Dramatiq's class in the list of bases."""

    link: Link
    limits_prefetch = False  # whether the broker itself hands out no more than `prefetch` messages

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Prepare the queue and consume it."""
        try:
            self.prepare(queue_name)
            consumer = self.consumer(queue_name, prefetch, timeout)
        except Exception as error:  # as above
            self.link.lost(error)
            raise closed(innermost_reason(error)) from error
        return WatchedConsumer(consumer, self.link, 0 if self.limits_prefetch else prefetch, timeout)

    def consumer(self, queue_name: str, prefetch: int, timeout: int) -> Consumer:
        """Return Dramatiq's own consumer."""
        return super().consume(queue_name, prefetch, timeout)

    def get_declared_delay_queues(self) -> set[str]:
        """No message is delayed, so nobody consumes delayed ones."""
        return set()

    def prepare(self, queue_name: str) -> None:
        """Make what the queue needs and somebody may have removed; before each consumer."""

    def probe(self) -> None:
        """Connect. Raises what the broker's client raises when that does not work."""
        raise NotImplementedError

    def keep_alive(self) -> None:
        """Let an idle sender's connection answer the broker; called every few seconds, in the sender's thread."""

    def disconnect(self) -> None:
        """Close every connection."""
        self.close()


def within(seconds: float, work: Callable[[], object]) -> None:
    """Do the work in a thread of its own; go on without it when it takes longer. What it raises is dropped."""

    def quietly() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - said goodbye to nobody
            log.debug("closing failed: %s", innermost_reason(error))

    thread = threading.Thread(target=quietly, daemon=True)
    thread.start()
    thread.join(seconds)
