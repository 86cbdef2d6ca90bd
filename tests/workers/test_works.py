"""What a worker does for whoever asks: once at a time, once more where it was asked meanwhile, on after a failure."""

import asyncio
import logging
import time

import pytest

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
    assert [record.getMessage() for record in caplog.records] == ["it failed, trying on: ", "it goes on"]


async def test_a_failure_is_logged_once_until_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    failures = [ConnectionError("away"), ConnectionError("away"), None, ValueError("ours")]

    async def work() -> None:
        if (failure := failures.pop(0)) is not None:
            raise failure

    coalesced = Coalesced("it", work, 60)
    with caplog.at_level(logging.INFO):
        for left in (3, 2, 1, 0):
            coalesced.start()
            await _until(lambda left=left: len(failures) == left and not coalesced.running)
            await asyncio.sleep(0)
    told = [(record.getMessage(), bool(record.exc_info)) for record in caplog.records]
    assert told == [
        ("it failed, trying on: away", False),
        ("it goes on", False),
        ("it failed, trying on: ours", True),
    ]


async def _until(holds: object) -> None:
    async with asyncio.timeout(5):
        while not holds():  # type: ignore[operator]
            await asyncio.sleep(0.001)
