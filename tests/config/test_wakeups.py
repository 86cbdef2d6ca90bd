"""Wake-ups: coalesced, never in the way, and at most one waiting for each actor and shard."""

import threading
import time
from typing import Any

import pytest
from dramatiq import Broker, Message

from config import wakeups
from config.database import connection


class Recorder(Broker):
    """Keeps what is sent, and can be held up or made to fail."""

    def __init__(self) -> None:
        super().__init__(middleware=[])
        self.sent: list[tuple[str, tuple[int, ...]]] = []
        self.open = threading.Event()
        self.open.set()
        self.failures = 0

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        self.open.wait(5)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the broker is away")
        self.sent.append((message.actor_name, tuple(message.args)))
        return message


def wait_for(broker: Recorder, count: int) -> None:
    deadline = time.monotonic() + 5
    while len(broker.sent) < count and time.monotonic() < deadline:
        time.sleep(0.01)


def test_outside_of_sending_a_request_is_dropped() -> None:
    wakeups.request("work_queue")


def test_what_is_asked_for_while_one_is_sent_is_sent_once() -> None:
    broker = Recorder()
    with wakeups.sending(broker):
        broker.open.clear()
        wakeups.request("work_queue")
        for _ in range(100):
            wakeups.request("evaluator", 1)
        broker.open.set()
        wait_for(broker, 2)
        time.sleep(0.05)
    assert broker.sent.count(("evaluator", (1,))) <= 2
    assert ("work_queue", ()) in broker.sent


def test_a_broker_that_is_away_is_reported_once_and_used_again(caplog: pytest.LogCaptureFixture) -> None:
    broker = Recorder()
    broker.failures = 2
    with wakeups.sending(broker):
        for expected in range(1, 3):
            wakeups.request("work_queue")
            deadline = time.monotonic() + 5
            while broker.failures > 2 - expected and time.monotonic() < deadline:
                time.sleep(0.01)
        wakeups.request("work_queue")
        wait_for(broker, 1)
    assert broker.sent == [("work_queue", ())]
    assert caplog.text.count("cannot be sent") == 1


async def test_at_most_one_message_waits_for_each_actor_and_shard(empty_database: str) -> None:
    with wakeups.sending_to(empty_database):
        for _ in range(5):
            for shard in (0, 1):
                wakeups.request("evaluator", shard)
            wakeups.request("work_queue")
            time.sleep(0.05)  # noqa: ASYNC251 - lets the sending thread send, so that the same id is sent again
    async with connection(empty_database) as conn:
        rows = await conn.fetch("SELECT queue_name, count(*) FROM dramatiq.queue GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in rows] == [("jobs", 1), ("marks", 2)]
