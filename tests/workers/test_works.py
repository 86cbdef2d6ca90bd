"""What a worker does for whoever asks: once at a time, once more where it was asked meanwhile, on after a failure."""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

import pytest

from config.outages import Away
from workers import works
from workers.works import Coalesced


async def test_a_caller_that_comes_meanwhile_makes_it_run_once_more() -> None:
    runs, free = [], asyncio.Event()

    async def work() -> None:
        runs.append(time.monotonic())
        await free.wait()

    coalesced = Coalesced("it", work, 60)
    first = asyncio.create_task(coalesced())
    await asyncio.sleep(0)
    await asyncio.gather(coalesced(), coalesced())
    coalesced.start()
    free.set()
    await first
    assert len(runs) == 2
    await coalesced.end()


async def test_one_that_is_wanted_all_the_time_lets_its_caller_go_and_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []

    async def work() -> None:
        runs.append(1)
        await coalesced()  # as a message that comes meanwhile
        await asyncio.sleep(0)

    coalesced = Coalesced("it", work, 60)
    monkeypatch.setattr(works, "WORK_SECONDS", 0.05)
    await asyncio.wait_for(coalesced(), 5)
    before = len(runs)
    async with asyncio.timeout(5):
        while len(runs) == before:
            await asyncio.sleep(0.001)
    await coalesced.end()
    after = len(runs)
    await asyncio.sleep(0.01)
    assert 1 < before < after == len(runs)


async def test_one_that_hangs_is_cancelled_and_runs_again(caplog: pytest.LogCaptureFixture) -> None:
    runs: list[int] = []

    async def work() -> None:
        runs.append(1)
        if len(runs) == 1:
            await asyncio.sleep(60)

    coalesced = Coalesced("it", work, 0.05)
    with caplog.at_level(logging.INFO):
        coalesced.start()
        await _until(lambda: coalesced.failing)
        coalesced.start()
        await _until(lambda: not coalesced.failing)
    assert len(runs) == 2
    assert [record.getMessage() for record in caplog.records] == ["it failed, trying on", "it goes on"]
    assert "it took longer than 0.05 s" in caplog.text


async def test_waiting_for_a_place_is_not_hanging() -> None:
    places, free, runs = asyncio.Semaphore(1), asyncio.Event(), list[str]()

    async def first() -> None:
        await free.wait()

    async def second() -> None:
        runs.append("second")

    holding, waiting = Coalesced("first", first, 60, places), Coalesced("second", second, 0.05, places)
    holding.start()
    await asyncio.sleep(0)
    task = waiting.start()
    assert task is not None
    await asyncio.sleep(0.2)
    assert not runs
    free.set()
    await task
    assert (runs, waiting.failing) == (["second"], False)
    await holding.end()


async def test_a_failure_is_logged_once_until_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    await _fail_with([ValueError("first"), ValueError("again"), None, ValueError("another")], caplog)
    assert [record.getMessage() for record in caplog.records] == [
        "it failed, trying on",
        "it goes on",
        "it failed, trying on",
    ]


async def test_a_database_that_is_away_is_told_to_who_watches_it_and_not_logged_for_each(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    await _fail_with([ConnectionError("away"), ConnectionError("away"), None], caplog)
    assert not caplog.records


async def _fail_with(failures: list[Exception | None], caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        if (failure := failures.pop(0)) is not None:
            raise failure

    coalesced = Coalesced("it", work, 60)
    with caplog.at_level(logging.INFO, "workers"):
        while failures:
            left = len(failures) - 1
            coalesced.start()
            await _until(partial(_is_done, coalesced, failures, left))
            await asyncio.sleep(0)


def _is_done(coalesced: Coalesced, failures: list[Exception | None], left: int) -> bool:
    return len(failures) == left and not coalesced.running


async def _until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.001)


async def test_batches_that_cannot_be_announced_while_the_database_is_away_fail_no_message(database: str) -> None:
    class Owner:
        has_all, markers = False, dict[int, object]()

        async def announce_batches(self) -> None:
            raise Away("connection refused")

    mine = works.Works(dict.fromkeys(("work_queue", "mark_to_market", "evaluator"), 60.0))
    mine.owner = Owner()  # type: ignore[assignment] # what `evaluate` asks of it
    await mine.evaluate()
