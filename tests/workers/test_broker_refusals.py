"""Processes whose broker refuses them, is not there or vanishes start, work, say so in one line, and end in order."""

import asyncio
import os
import signal
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.cli.commands import COMMAND, a_free_port, propdesk
from tests.workers.brokers import Kind

SECRET = "n0t-the-0ne"
COMPLAINT = "cannot be used"
ENDED = (0, -signal.SIGTERM)  # in order: the server of the API passes the signal on when it has stopped


class Running:
    """A process and what it has said so far."""

    def __init__(self, process: asyncio.subprocess.Process, metrics_port: int) -> None:
        self.process = process
        self.metrics_port = metrics_port  # a worker's
        self.lines: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(line.decode())

    def said(self, words: str) -> list[str]:
        return [line for line in self.lines if words in line]

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                assert self.process.returncode is None, "".join(self.lines)
                await asyncio.sleep(0.05)

    def figure(self, name: str) -> float:
        answer = httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", trust_env=False).text
        return next(float(line.split()[1]) for line in answer.splitlines() if line.startswith(f"{name} "))

    async def end(self) -> float:
        """Ask it to end; return the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            await self.process.wait()
            await self._reading
        return time.monotonic() - began


@asynccontextmanager
async def running(command: str, database_url: str, broker_url: str) -> AsyncIterator[Running]:
    metrics_port = a_free_port()
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "PROPDESK_PORT": str(a_free_port()),
        "PROPDESK_WORKER_METRICS_PORT": str(metrics_port),
        "PROPDESK_POOL_SIZE": "4",
    }
    process = await asyncio.create_subprocess_exec(
        *COMMAND, command, env=environment, stderr=PIPE, start_new_session=True
    )
    run = Running(process, metrics_port)
    try:
        yield run
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def wrong_password(kind: Kind) -> str:
    login, _, rest = kind.url.rpartition("@")
    return f"{login.rpartition(':')[0]}:{SECRET}@{rest}"


def no_such_database(kind: Kind) -> str:
    return f"{kind.url.rpartition('/')[0]}/99"


def nobody_there(kind: Kind) -> str:
    return f"{kind.url.partition(':')[0]}://desk:{SECRET}@127.0.0.1:{a_free_port()}"


@pytest.mark.parametrize(
    ("kind", "refusal"),
    [
        ("redis", wrong_password),
        *(
            pytest.param(kind, refusal, marks=pytest.mark.campaign)
            for kind in ("redis", "rabbitmq")
            for refusal in (wrong_password, no_such_database, nobody_there)
            if (kind, refusal) != ("redis", wrong_password)
        ),
    ],
    indirect=["kind"],
)
async def test_a_broker_that_refuses_keeps_no_desk_from_starting(
    kind: Kind, refusal: Callable[[Kind], str], empty_database: str
) -> None:
    url = refusal(kind)
    async with running("work", empty_database, url) as worker, running("serve", empty_database, url) as api:
        for process, sign in ((worker, "ready"), (api, "startup complete")):
            await process.until(lambda process=process, sign=sign: process.said(sign) and process.said(COMPLAINT))  # type: ignore[misc]
        await worker.until(lambda: worker.figure("propdesk_broker_faults_total") > 6)  # each has tried again
        assert worker.figure("propdesk_broker_up") == 0
        for process in (worker, api):
            assert await process.end() < 15
            assert process.process.returncode in ENDED
            assert len(process.said(COMPLAINT)) == 1, process.lines
            text = "".join(process.lines)
            assert "Traceback" not in text
            assert SECRET not in text
            assert len([line for line in process.lines if "WARNING" in line or "ERROR" in line]) == 1, text


@pytest.mark.campaign
@pytest.mark.parametrize("kind", ["postgresql", "redis", "rabbitmq"], indirect=True)
async def test_a_broker_that_dies_and_comes_back_is_said_in_two_lines(kind: Kind, empty_database: str) -> None:
    async with running("work", empty_database, kind.url) as worker, running("serve", empty_database, kind.url) as api:
        await worker.until(lambda: worker.said("ready"))
        await api.until(lambda: api.said("startup complete"))
        await asyncio.to_thread(kind.kill)
        await worker.until(lambda: worker.said(COMPLAINT))
        await asyncio.to_thread(kind.start)
        await worker.until(lambda: worker.said("in use again"))
        for process in (worker, api):
            assert await process.end() < 15
            assert process.process.returncode in ENDED
            assert "Traceback" not in "".join(process.lines), "".join(process.lines)
        assert len(worker.said(COMPLAINT)) == 1


def test_the_schema_is_migrated_without_the_broker(empty_database: str) -> None:
    away = f"postgresql://desk:{SECRET}@127.0.0.1:{a_free_port()}/broker"
    done = propdesk("migrate", DATABASE_URL=empty_database, BROKER_URL=away)
    assert done.returncode == 0, done.stderr
    assert "up to date" in done.stdout
    assert done.stderr.count("cannot be prepared") == 1
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr
