"""Endless tasks: one that fails is restarted and shown, and one that does not stay up ends its process."""

import asyncio
from collections.abc import Iterator

import pytest

from config.errors import Problem
from services import supervision
from services.supervision import Supervisor, require_all_kept
from services.telemetry import TASK_FAULTS


@pytest.fixture(autouse=True)
def restarts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "RESTART_SECONDS", 0.0)


def _faults(name: str) -> float:
    return sum(sample.value for sample in TASK_FAULTS.labels(name)._child_samples() if sample.name == "_total")  # noqa: SLF001 - there is no public way to read one


async def _until(holds: object) -> None:
    async with asyncio.timeout(10):
        while not holds():  # type: ignore[operator] # a function of nothing
            await asyncio.sleep(0)


async def test_a_task_that_fails_or_returns_is_counted_shown_and_restarted() -> None:
    supervisor = Supervisor(10, lambda: None)
    runs: Iterator[object] = iter([KeyError("first"), None])
    working = asyncio.Event()

    async def work() -> None:
        outcome = next(runs, "works")
        if isinstance(outcome, Exception):
            raise outcome
        if outcome == "works":
            working.set()
            await asyncio.Event().wait()

    before = _faults("a test")
    keeping = asyncio.create_task(supervisor.keep("a test", work))
    async with asyncio.timeout(10):
        await working.wait()
    assert _faults("a test") - before == 2
    assert "returned" in supervisor.unwell()["a test"], "it has failed a moment ago"
    supervisor.tasks["a test"].began -= supervision.RESTART_SECONDS_MAX + 1
    assert supervisor.unwell() == {}, "it has stayed up since"
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    require_all_kept(supervisor)


async def test_a_task_that_does_not_stay_up_ends_the_process_with_its_name() -> None:
    ended: list[str] = []
    supervisor = Supervisor(3, lambda: ended.append("now"))

    async def work() -> None:
        raise OSError("no such device")

    await supervisor.keep("a broken one", work)
    assert ended == ["now"]
    assert supervisor.tasks["a broken one"].failures == 3
    assert "no such device" in supervisor.unwell()["a broken one"]
    with pytest.raises(Problem, match=r"a broken one.*no such device"):
        require_all_kept(supervisor)


async def test_a_task_that_ran_steadily_begins_to_count_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "STEADY_SECONDS", -1.0)  # every run is a steady one
    supervisor = Supervisor(2, lambda: pytest.fail("it has stayed up each time"))
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        raise OSError

    keeping = asyncio.create_task(supervisor.keep("now and then", work))
    await _until(lambda: runs >= 5)
    keeping.cancel()


def test_each_restart_waits_twice_as_long_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "RESTART_SECONDS", 0.5)
    waits = [supervision.Task("one", failures=failures).restart_seconds for failures in (1, 2, 3, 7, 10_000)]
    assert waits == [0.5, 1.0, 2.0, 30.0, 30.0]
