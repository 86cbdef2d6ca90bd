"""Telling the workers that something waits, without waiting: flags that one background thread turns into messages.

A wake-up is a hint. What is owed stands in the database, and the workers' periodic loop finds it half a second later
anyway; so a wake-up that cannot be sent delays nobody, and a process that is not inside `sending` sends none.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, TypeAlias

from dramatiq.broker import Broker

from config.broker import SENDER_CONNECTIONS, connect, disconnect, wake_up
from config.broker_link import Link, WakeUpBroker

RETRY_SECONDS = 0.2  # after the first failure; each further one waits twice as long
RETRY_SECONDS_MAX = 5.0
IDLE_SECONDS = 3.0  # after which an idle connection is looked after
STOP_SECONDS_MAX = 5.0

log = logging.getLogger(__name__)

Actor: TypeAlias = Literal["evaluator", "mark_to_market", "work_queue"]
Wanted = tuple[str, tuple[int, ...]]  # actor, its arguments


class Sender(threading.Thread):
    """Sends each requested wake-up once, however often it was requested since; a failed one is sent again later."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(name="wakeups", daemon=True)
        self.broker = broker
        self.link = broker.link if isinstance(broker, WakeUpBroker) else Link(type(broker).__name__)
        self.wanted: set[Wanted] = set()
        self.changed = threading.Condition()
        self.stopping = False
        self.failures = 0  # in a row

    def want(self, wanted: Wanted) -> None:
        """Ask for a wake-up. Takes microseconds."""
        with self.changed:
            if wanted in self.wanted:
                self.link.count("merged")
            self.wanted.add(wanted)
            self.changed.notify()

    def stop(self) -> None:
        """Let the thread end after what it is sending."""
        with self.changed:
            self.stopping = True
            self.changed.notify()

    def run(self) -> None:
        """Send until stopped."""
        self._look_after()
        while True:
            with self.changed:
                if self.failures:
                    pause = min(RETRY_SECONDS_MAX, RETRY_SECONDS * 2.0 ** min(self.failures - 1, 20))
                    self.changed.wait_for(lambda: self.stopping, pause)
                self.changed.wait_for(lambda: self.wanted or self.stopping, IDLE_SECONDS)
                if self.stopping:
                    for _ in self.wanted:
                        self.link.count("dropped")
                    return
                sending, self.wanted = self.wanted, set()
            self._send(sending)

    def _send(self, sending: set[Wanted]) -> None:
        if not sending:
            self._look_after()
        for number, (actor, args) in enumerate(sorted(sending)):
            message = wake_up(actor, *args)
            if not self._tried(lambda message=message: self.broker.enqueue(message)):  # type: ignore[misc]
                self.link.count("failed")
                with self.changed:
                    self.wanted |= set(sorted(sending)[number:])
                return
            self.link.count("sent")
            self.link.reached()

    def _look_after(self) -> None:
        """Keep the connection of a broker that is within reach; try one that is not."""
        if isinstance(self.broker, WakeUpBroker):
            look = self.broker.keep_alive if self.link.is_up else self.broker.probe
            if self._tried(look):
                self.link.reached()

    def _tried(self, work: Callable[[], object]) -> bool:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever the broker's trouble, it is not the caller's
            self.failures += 1
            self.link.lost(error)
            return False
        self.failures = 0
        return True


_sender: Sender | None = None


@contextmanager
def sending(broker: Broker) -> Iterator[None]:
    """Send the wake-ups requested inside the block through `broker`; at most one per process."""
    global _sender
    assert _sender is None, "a process sends through one broker"
    _sender = sender = Sender(broker)
    sender.start()
    try:
        yield
    finally:
        _sender = None
        sender.stop()
        sender.join(timeout=STOP_SECONDS_MAX)


@contextmanager
def sending_to(url: str, *, is_database: bool = False) -> Iterator[None]:
    """Send the wake-ups requested inside the block through a new broker on `url`: for a process that is no worker."""
    broker = connect(url, connections=SENDER_CONNECTIONS, middleware=[], is_database=is_database)
    try:
        with sending(broker):
            yield
    finally:
        disconnect(broker)


def request(actor: Actor, *args: int) -> None:
    """Wake the actor: work waits for it. Never blocks, never raises; call it after the commit."""
    if _sender is not None:
        _sender.want((actor, args))


def is_up() -> bool | None:
    """Whether this process reaches its broker; None: it has none, or has not tried yet."""
    return None if _sender is None else _sender.link.is_up


def faults() -> int:
    """Number of failed uses of the broker by this process."""
    return 0 if _sender is None else _sender.link.faults


def counts() -> Mapping[str, int]:
    """How many wake-ups this process sent, merged with one that waited, failed to send, received and dropped."""
    return {} if _sender is None else dict(_sender.link.counts)
