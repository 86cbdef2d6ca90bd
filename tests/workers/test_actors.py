"""The actors: their names, what happens to one that hangs, fails or comes late, and that a busy one takes turns."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware.asyncio import AsyncIO

from config.broker import QUEUES
from services import marking
from services.jobs import work_queue
from workers import actors
from workers.works import WORK_SECONDS, Works

HOUR = 3_600_000


def a_broker() -> StubBroker:
    """A broker in memory with the worker's middleware and actors."""
    broker = StubBroker(middleware=[*actors.middleware(), AsyncIO()])
    actors.declare(broker)
    return broker


@contextmanager
def working(broker: StubBroker) -> Iterator[None]:
    """Work until everything sent inside is done."""
    worker = Worker(broker, worker_timeout=20, worker_threads=2)
    worker.start()
    try:
        yield
        for queue in set(QUEUES.values()):
            broker.join(queue, timeout=10_000, fail_fast=False)
        worker.join()
    finally:
        worker.stop()


def counted(monkeypatch: pytest.MonkeyPatch, does: Callable[[int], Any]) -> list[int]:
    """Let the work queue do this with the number of its call; returns the calls so far."""
    calls: list[int] = []

    async def drain(_seconds: float) -> None:
        calls.append(len(calls) + 1)
        await does(calls[-1])

    monkeypatch.setattr(work_queue, "do_jobs", drain)
    return calls


def test_they_are_named_for_what_they_do_and_limited_on_purpose() -> None:
    declared = a_broker().actors
    assert set(declared) == {"evaluator", "mark_to_market", "work_queue"} == set(QUEUES)
    for name, actor in declared.items():
        assert actor.queue_name == QUEUES[name]
        assert actor.options["max_retries"] == 0
        assert actor.options["max_age"] == HOUR
        seconds_max = actors.TIME_LIMITS[actor.actor_name]
        assert 2 * 60 <= seconds_max <= 10 * 60
        assert seconds_max >= 2 * WORK_SECONDS, "a busy one ends well before"


def test_one_that_hangs_is_cancelled_and_the_next_message_works(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    async def hang_at_first(call: int) -> None:
        try:
            await asyncio.sleep(60 if call == 1 else 0)
        except asyncio.CancelledError:
            ended.append(call)
            raise

    monkeypatch.setitem(actors.TIME_LIMITS, "work_queue", 0.2)
    calls = counted(monkeypatch, hang_at_first)
    broker = a_broker()
    with working(broker):
        broker.get_actor("work_queue").send()
    assert (calls, ended) == ([1], [1])
    with working(broker):
        broker.get_actor("work_queue").send()
    assert calls == [1, 2]


def test_one_that_fails_is_not_retried_and_the_next_message_works(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail_at_first(call: int) -> None:
        if call == 1:
            raise ConnectionError("the database is away")

    calls = counted(monkeypatch, fail_at_first)
    broker = a_broker()
    with working(broker):
        broker.get_actor("work_queue").send()
    assert (calls, len(broker.dead_letters)) == ([1], 1)
    with working(broker):
        broker.get_actor("work_queue").send()
    assert calls == [1, 2]


def test_a_message_that_waited_for_an_hour_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_call: int) -> None:
        pass

    calls = counted(monkeypatch, nothing)
    broker = a_broker()
    message = broker.get_actor("work_queue").message()
    with working(broker):
        broker.enqueue(message.copy(message_timestamp=message.message_timestamp - HOUR - 1000))
    assert (calls, len(broker.dead_letters)) == ([], 1)


def test_each_actor_does_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[Any, ...]] = []

    def noting(*what: Any) -> Callable[..., Any]:
        async def note(*args: Any, **options: Any) -> None:
            done.append((*what, *args, *options.items()))

        return note

    monkeypatch.setattr(work_queue, "do_jobs", noting("jobs"))
    monkeypatch.setattr(Works, "evaluate", noting("batches"))
    monkeypatch.setattr(marking, "mark_all", noting("accounts"))
    broker = StubBroker(middleware=[*actors.middleware(), AsyncIO()])
    works = actors.declare(broker)
    with working(broker):
        broker.get_actor("work_queue").send()
        broker.get_actor("evaluator").send()
        broker.get_actor("mark_to_market").send()
    assert set(done) == {("jobs", 60), ("batches", works), ("accounts", ("behind", marking.OVERDUE))}
