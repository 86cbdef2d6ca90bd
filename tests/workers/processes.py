"""Workers as processes of their own, which can be killed, stopped and ended."""

import asyncio
import os
import signal
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from services import ownership
from tests.cli.commands import COMMAND

PATIENCE_SECONDS = 60


class Worker:
    """One `propdesk work`."""

    def __init__(self, process: Process, output: Path) -> None:
        self.process = process
        self.output = output

    @property
    def is_running(self) -> bool:
        return self.process.returncode is None

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Send the signal and wait until it has ended; return its status."""
        if self.is_running:
            self.send(number)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()

    async def shards(self) -> list[int]:
        """The shards that it owns."""
        name = f"-{self.process.pid}"
        return [state.shard for state in await ownership.shard_states() if state.owner and state.owner.endswith(name)]

    def said(self, words: str) -> int:
        """How often it has said so."""
        return self.output.read_text().count(words)


class Workers:
    """The workers of one desk."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self.all: list[Worker] = []

    async def start(self, **environment: str) -> Worker:
        """Start one more, and return before it is ready."""
        output = self.folder / f"{len(self.all)}.log"
        with output.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *COMMAND, "work", env=os.environ | self.environment | environment, stdout=log, stderr=log
            )
        self.all.append(Worker(process, output))
        return self.all[-1]

    async def until(self, holds: Callable[[], Awaitable[Any]]) -> None:
        """Wait until it holds."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not await holds():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError("\n".join(worker.output.read_text() for worker in self.all)) from None

    async def until_shared(self, **counts: Worker) -> None:
        """Wait until each owns as many shards as its name says: `_2=worker`."""
        await self.until(lambda: _own(counts))


async def _own(counts: dict[str, Worker]) -> bool:
    return all([len(await worker.shards()) == int(name.rsplit("_")[-1]) for name, worker in counts.items()])


@asynccontextmanager
async def working(url: str, **environment: str) -> AsyncIterator[Workers]:
    """Workers on the database of the address; whichever is left is killed at the end."""
    with tempfile.TemporaryDirectory() as folder:
        workers = Workers(Path(folder), {"DATABASE_URL": url, "PROPDESK_POOL_SIZE": "4"} | environment)
        try:
            yield workers
        finally:
            for worker in workers.all:
                if worker.is_running:
                    worker.send(signal.SIGCONT)
                await worker.end()
