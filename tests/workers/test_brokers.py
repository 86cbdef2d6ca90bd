"""The actors on each broker: what is asked for is done, few messages wait for it, and no trouble is for ever."""

import asyncio
import gc
import logging
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import dramatiq
import pytest
from dramatiq import Broker

from config import wakeups
from config.broker import QUEUES, wake_up
from services.jobs import work_queue
from tests.workers.brokers import NAMES, Kind, a_broker, a_worker, connected, until, working
from tests.workers.cables import cable
from workers import actors, ending

HOUR = 3_600_000
AT_ONCE_SECONDS = 0.5  # less than a worker's look at its tables takes to come round

on_each = pytest.mark.parametrize("kind", NAMES, indirect=True)


@pytest.fixture(autouse=True)
def quick_to_reconnect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dramatiq.worker.CONSUMER_RESTART_DELAY_SECS", 0.2)
    monkeypatch.setattr(wakeups, "RETRY_SECONDS_MAX", 0.5)
    monkeypatch.setattr("config.broker_link.STEADY_SECONDS", 0.5)


class Noting:
    """Actors that note what they are called with."""

    def __init__(self, broker: Broker) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.free = threading.Event()
        self.free.set()
        for name, queue in QUEUES.items():
            declare = dramatiq.actor(actor_name=name, queue_name=queue, broker=broker, max_retries=0)
            declare(partial(self._note, name))

    def _note(self, name: str, *args: int) -> None:
        self.calls.append((name, *args))
        self.free.wait(30)


def drained(monkeypatch: pytest.MonkeyPatch, does: Callable[[int], Any]) -> list[int]:
    """Let the work queue do this with the number of its call; returns the calls so far."""
    calls: list[int] = []

    async def drain(_seconds: float) -> None:
        calls.append(len(calls) + 1)
        await does(calls[-1])

    monkeypatch.setattr(work_queue, "do_jobs", drain)
    return calls


async def nothing(_call: int) -> None:
    pass


def an_hour_ago() -> Any:
    message = wake_up("work_queue")
    return message.copy(message_timestamp=message.message_timestamp - HOUR - 1000)


@pytest.fixture(autouse=True)
def _abandoned_connections() -> Iterator[None]:
    """Collect the sockets that a broker which was frozen, killed or cut off kept its client from closing."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@on_each
def test_each_wake_up_reaches_its_actor(kind: Kind) -> None:
    with connected(kind.url) as broker, wakeups.sending(broker):
        noting = Noting(broker)
        with working(broker):
            wakeups.request("work_queue")
            wakeups.request("mark_to_market")
            wakeups.request("evaluator")
            until(lambda: len(noting.calls) >= 3, "three calls")
    assert sorted(noting.calls) == [("evaluator",), ("mark_to_market",), ("work_queue",)]


@on_each
def test_an_idle_worker_is_awake_at_once(kind: Kind) -> None:
    with connected(kind.url) as broker, wakeups.sending(broker):
        noting = Noting(broker)
        with working(broker):
            wakeups.request("work_queue")
            until(lambda: noting.calls, "the first call")
            waits = []
            for number in range(2, 7):
                time.sleep(0.3)  # idle, so that no consumer is in the midst of asking
                began = time.monotonic()
                wakeups.request("work_queue")
                until(lambda number=number: len(noting.calls) >= number, "the next call")  # type: ignore[misc]
                waits.append(time.monotonic() - began)
    assert sorted(waits)[len(waits) // 2] < AT_ONCE_SECONDS, waits


@on_each
def test_a_flood_that_nobody_takes_stays_small_and_loses_nothing(kind: Kind) -> None:
    with connected(kind.url) as broker:
        noting = Noting(broker)
        for _ in range(300):
            for shard in range(3):
                broker.enqueue(wake_up("evaluator", shard))
            broker.enqueue(wake_up("work_queue"))
        waiting = {queue: kind.waiting(queue) for queue in set(QUEUES.values())}
        assert max(waiting.values()) <= 128, waiting
        with working(broker):
            until(lambda: len(set(noting.calls)) == 4, "each of the four")
            until(lambda: kind.kept() == 0, "nothing is left")


@on_each
def test_a_wake_up_that_comes_while_the_actor_runs_calls_it_again(kind: Kind) -> None:
    with connected(kind.url) as broker, wakeups.sending(broker):
        noting = Noting(broker)
        noting.free.clear()
        with working(broker):
            wakeups.request("work_queue")
            until(lambda: noting.calls, "the first call")
            wakeups.request("work_queue")
            until(lambda: len(noting.calls) == 2 or kind.waiting("jobs"), "the second was sent")
            noting.free.set()
            until(lambda: len(noting.calls) == 2, "the second call")


@on_each
def test_a_worker_that_is_busy_holds_a_few_messages_and_no_more(kind: Kind) -> None:
    with connected(kind.url) as broker:
        noting = Noting(broker)
        noting.free.clear()
        with working(broker) as worker:
            until(
                lambda: broker.enqueue(wake_up("work_queue")) and kind.waiting("jobs") and len(noting.calls) == 4,
                "all threads are busy, and what comes then waits at the broker",
            )
            assert worker.work_queue.qsize() <= 2 * worker.queue_prefetch
            noting.free.set()
            until(lambda: kind.kept() == 0, "nothing is left")


@on_each
def test_one_that_hangs_is_cancelled_and_the_next_message_works(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    async def hang_at_first(call: int) -> None:
        try:
            await asyncio.sleep(60 if call == 1 else 0)
        except asyncio.CancelledError:
            ended.append(call)
            raise

    monkeypatch.setitem(actors.TIME_LIMITS, "work_queue", 2.0)  # the second keeps it on a busy machine, too
    calls = drained(monkeypatch, hang_at_first)
    with connected(kind.url) as broker:
        actors.declare(broker)
        with working(broker):
            broker.enqueue(wake_up("work_queue"))
            until(lambda: ended == [1], "the first was cancelled")
            broker.enqueue(wake_up("work_queue"))
            until(lambda: calls == [1, 2], "the next was done")
            until(lambda: kind.kept() == 0, "neither is kept")


@on_each
def test_one_that_fails_is_neither_retried_nor_kept(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_call: int) -> None:
        raise ConnectionError("the database is away")

    calls = drained(monkeypatch, fail)
    with connected(kind.url) as broker:
        actors.declare(broker)
        with working(broker):
            for number in range(1, 4):
                broker.enqueue(wake_up("work_queue"))
                until(lambda number=number: len(calls) == number, "called once")  # type: ignore[misc]
            until(lambda: kind.kept() == 0, "nothing is kept, no dead letter either")
    assert calls == [1, 2, 3]


@on_each
def test_a_message_that_waited_for_an_hour_is_dropped(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = drained(monkeypatch, nothing)
    with connected(kind.url) as broker, wakeups.sending(broker):
        actors.declare(broker)
        broker.enqueue(an_hour_ago())
        with working(broker):
            until(lambda: kind.kept() == 0, "it is gone")
            until(lambda: wakeups.counts().get("dropped") == 1, "and counted")
            assert calls == []
            wakeups.request("work_queue")
            until(lambda: calls == [1], "a new one is done")


@on_each
def test_a_new_wake_up_makes_an_old_one_that_waits_young_again(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = drained(monkeypatch, nothing)
    with connected(kind.url) as broker:
        actors.declare(broker)
        broker.enqueue(an_hour_ago())
        broker.enqueue(wake_up("work_queue"))
        with working(broker):
            until(lambda: calls, "it is done")


def killed(kind: Kind) -> None:
    kind.kill()
    time.sleep(1)
    kind.start()


def restarted(kind: Kind) -> None:
    kind.kill()
    kind.start()


def wiped(kind: Kind) -> None:
    kind.wipe()


def frozen(kind: Kind) -> None:
    kind.freeze()
    time.sleep(8)  # longer than any client waits for an answer
    kind.thaw()


@pytest.mark.campaign
@pytest.mark.parametrize("trouble", [killed, restarted, wiped, frozen])
@on_each
def test_after_any_trouble_wake_ups_come_again(
    kind: Kind, trouble: Callable[[Kind], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "config")
    asking = threading.Event()
    slowest = 0.0

    def ask() -> None:
        nonlocal slowest
        while not asking.wait(0.02):
            began = time.monotonic()
            wakeups.request("work_queue")
            slowest = max(slowest, time.monotonic() - began)

    with connected(kind.url) as broker, wakeups.sending(broker):
        noting = Noting(broker)
        with working(broker):
            thread = threading.Thread(target=ask)
            thread.start()
            try:
                until(lambda: len(noting.calls) > 5, "calls")
                trouble(kind)
                seen = len(noting.calls)
                until(lambda: len(noting.calls) > seen + 5, "calls after the trouble")
            finally:
                asking.set()
                thread.join()
            until(lambda: kind.kept() == 0, "nothing is left")
            assert wakeups.is_up()
    said = [record.getMessage() for record in caplog.records if "cannot be used" in record.getMessage()]
    assert len(said) <= 1, said
    assert slowest < 0.2, "whoever asks for a wake-up does not wait for the broker"


@pytest.mark.campaign
@on_each
def test_a_slow_cable_makes_wake_ups_slow_and_nobody_else(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    with cable(kind.place) as line, connected(kind.through(line.port)) as broker, wakeups.sending(broker):
        noting = Noting(broker)
        with working(broker):
            wakeups.request("work_queue")
            until(lambda: noting.calls, "a call")
            line.delay_seconds = 0.2
            for number in range(2, 5):
                began = time.monotonic()
                wakeups.request("work_queue")
                assert time.monotonic() - began < 0.1
                until(lambda number=number: len(noting.calls) >= number, "a call over the slow cable")  # type: ignore[misc]
    assert "cannot be used" not in caplog.text


@pytest.mark.campaign
@pytest.mark.parametrize("trouble", ["cut", "refused"])
@on_each
def test_after_a_cable_was_cut_or_connections_refused_wake_ups_come_again(kind: Kind, trouble: str) -> None:
    with cable(kind.place) as line, connected(kind.through(line.port)) as broker, wakeups.sending(broker):
        noting = Noting(broker)
        with working(broker):
            wakeups.request("work_queue")
            until(lambda: noting.calls, "a call")
            if trouble == "cut":
                line.is_cut = True
            else:
                line.refuse()
            wakeups.request("work_queue")
            if trouble == "refused":
                until(lambda: wakeups.is_up() is False, "it was noticed")
                line.take()
            else:
                time.sleep(8)
                line.is_cut = False
            seen = len(noting.calls)
            wakeups.request("work_queue")
            until(lambda: len(noting.calls) > seen, "calls again")


@pytest.mark.campaign
@on_each
def test_a_worker_ends_in_time_while_its_broker_is_frozen(kind: Kind) -> None:
    broker = a_broker(kind.url)
    with wakeups.sending(broker):
        noting, worker = Noting(broker), a_worker(broker)
        wakeups.request("work_queue")
        until(lambda: noting.calls, "a call")
        kind.freeze()
        wakeups.request("work_queue")
        began = time.monotonic()
    sender_seconds = time.monotonic() - began
    assert sender_seconds < wakeups.STOP_SECONDS_MAX + 1
    ending.end(worker, broker, began + ending.SECONDS_MAX)
    assert time.monotonic() - began < ending.SECONDS_MAX + 1
    kind.thaw()


@pytest.mark.campaign
@on_each
def test_a_message_of_a_killed_worker_is_done_by_another(kind: Kind) -> None:
    """It was taken and never acknowledged; on the next wake-up, at the latest, its work is done."""
    with connected(kind.url) as first:
        Noting(first)
        consumer = first.consume("jobs", prefetch=1, timeout=100)
        first.enqueue(wake_up("work_queue"))
        until(lambda: next(iter(consumer)), "it was taken")
        with connected(kind.url) as second, wakeups.sending(second):
            noting = Noting(second)
            with working(second):
                wakeups.request("work_queue")
                until(lambda: noting.calls, "its work is done")
