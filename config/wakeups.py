"""Telling the workers that something waits, without waiting: flags that one background thread turns into messages.

A wake-up is a hint. What is owed stands in the database, and the workers' periodic loop finds it a second later anyway;
so a wake-up that cannot be sent is dropped, and a process that is not inside `sending` sends none.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

from dramatiq.broker import Broker

from config.broker import SENDER_CONNECTIONS, connect, disconnect, wake_up

log = logging.getLogger(__name__)

Actor: TypeAlias = Literal["evaluator", "mark_to_market", "work_queue"]
Wanted = tuple[str, tuple[int, ...]]  # actor, its arguments


class Sender(threading.Thread):
    """Sends each wanted wake-up once, however often it was asked for meanwhile."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(name="wakeups", daemon=True)
        self.broker = broker
        self.wanted: set[Wanted] = set()
        self.changed = threading.Condition()
        self.stopping = False
        self.failing = False

    def want(self, wanted: Wanted) -> None:
        """Ask for a wake-up. Takes microseconds."""
        with self.changed:
            self.wanted.add(wanted)
            self.changed.notify()

    def stop(self) -> None:
        """Let the thread end after what it is sending."""
        with self.changed:
            self.stopping = True
            self.changed.notify()

    def run(self) -> None:
        """Send until stopped."""
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.wanted or self.stopping)
                if self.stopping:
                    return
                sending, self.wanted = self.wanted, set()
            for actor, args in sorted(sending):
                self._send(actor, args)

    def _send(self, actor: str, args: tuple[int, ...]) -> None:
        try:
            self.broker.enqueue(wake_up(actor, *args))
            self.failing = False
        except Exception as error:  # noqa: BLE001 - whatever the broker's trouble, it is not the caller's
            if not self.failing:
                log.warning("wake-ups cannot be sent for now: %s", error)
            self.failing = True


_sender: Sender | None = None


@contextmanager
def sending(broker: Broker) -> Iterator[None]:
    """Send what is requested meanwhile through `broker`; a process has one such."""
    global _sender
    assert _sender is None, "a process sends through one broker"
    _sender = sender = Sender(broker)
    sender.start()
    try:
        yield
    finally:
        _sender = None
        sender.stop()
        sender.join(timeout=5)


@contextmanager
def sending_to(url: str) -> Iterator[None]:
    """The same through a broker of its own on `url`, for a process that is no worker."""
    broker = connect(url, connections=SENDER_CONNECTIONS, middleware=[])
    try:
        with sending(broker):
            yield
    finally:
        disconnect(broker)


def request(actor: Actor, *args: int) -> None:
    """Wake the actor: work waits for it. Never blocks, never raises; call it after the commit."""
    if _sender is not None:
        _sender.want((actor, args))
