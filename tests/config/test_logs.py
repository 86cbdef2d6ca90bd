"""Log lines: for people or for machines, each with what the code was about."""

import asyncio
import io
import json
import logging

import pytest

from config.logs import FORMATTERS, about, configure_logging

log = logging.getLogger("services.jobs.work_queue")


@pytest.fixture
def lines(own_logging: None, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is logged, as JSON."""
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    configure_logging("INFO", "worker", "json")
    return written


def read(lines: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_a_line_says_when_who_what_and_what_about(lines: io.StringIO) -> None:
    with about(job=7, challenge=None), about(account=100_001):
        log.info("job %s\ndone", 7, extra={"attempt": 2})
    log.info("alone")
    first, second = read(lines)
    instant = str(first.pop("time"))
    assert instant.endswith("+00:00")
    assert first == {
        "level": "INFO",
        "process": "worker",
        "logger": "services.jobs.work_queue",
        "message": "job 7\ndone",
        "job": 7,
        "account": 100_001,
        "attempt": 2,
    }
    assert not second.keys() & {"job", "account"}


def test_an_exception_is_one_line_with_its_traceback(lines: io.StringIO) -> None:
    try:
        raise ValueError("why")
    except ValueError:
        log.exception("it failed")
    (line,) = read(lines)
    assert "ValueError: why" in str(line["traceback"])


def test_a_fact_takes_nothings_place(lines: io.StringIO) -> None:
    with about(level="mine", process="mine"):
        log.warning("told")
    (line,) = read(lines)
    assert (line["level"], line["process"]) == ("WARNING", "worker")


def test_what_cannot_be_said_in_json_is_said_as_text(lines: io.StringIO) -> None:
    log.info("told", extra={"path": {1, 2}.__class__})
    assert read(lines)[0]["path"] == "<class 'set'>"


async def test_tasks_that_run_beside_each_other_keep_their_facts_apart(lines: io.StringIO) -> None:
    both = asyncio.Barrier(2)

    async def work(account: int) -> None:
        with about(account=account):
            await both.wait()
            log.info("at %s", account)
            await both.wait()

    await asyncio.gather(work(1), work(2))
    assert sorted((line["message"], line["account"]) for line in read(lines)) == [("at 1", 1), ("at 2", 2)]


def test_for_people_the_facts_follow_the_message() -> None:
    record = logging.LogRecord("services.jobs.work_queue", logging.INFO, __file__, 1, "job done", None, None)
    with about(job=7):
        line = FORMATTERS["text"]("worker").format(record)
    assert line.endswith(" INFO worker services.jobs.work_queue: job done job=7")
