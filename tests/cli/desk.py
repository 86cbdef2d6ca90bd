"""A desk to be a client of: `propdesk serve` as a process that can be killed, and clients as processes beside it."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.cli.commands import COMMAND, a_free_port

PATIENCE_SECONDS = 60


class Desk:
    """The API on one database; killed and started again it is at the same address."""

    def __init__(self, database_url: str) -> None:
        self.port = a_free_port()
        self.url = f"http://127.0.0.1:{self.port}/graphql"
        self._environment = os.environ | {"DATABASE_URL": database_url, "PROPDESK_PORT": str(self.port)}
        self._process: Process | None = None

    async def start(self) -> None:
        """Return when it answers."""
        self._process = await asyncio.create_subprocess_exec(
            *COMMAND, "serve", env=self._environment | {"PROPDESK_POOL_SIZE": "4"}
        )
        async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(PATIENCE_SECONDS):
            while True:
                assert self._process.returncode is None, "it has ended"
                try:
                    await http.get(self.url.replace("graphql", "healthz"))
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
                else:
                    return

    async def kill(self) -> None:
        """As a power cut would."""
        assert self._process is not None, "it has been started"
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


class Client:
    """A process that tells what it does in lines of JSON."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.told: list[dict[str, Any]] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.told.append(json.loads(line))

    def of(self, kind: str) -> list[Any]:
        """What it told of one kind."""
        return [line[kind] for line in self.told if kind in line]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until the client has told so much that it holds."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not holds():
                assert self.process.returncode is None, f"it ended with {self.process.returncode}: {self.told}"
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """At once, wherever it is."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.end()

    async def end(self) -> int:
        """Wait until it has ended; answers its status."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            status = await self.process.wait()
            await self._reading
        return status


@asynccontextmanager
async def serving(database_url: str) -> AsyncIterator[Desk]:
    """A desk that serves meanwhile."""
    desk = Desk(database_url)
    await desk.start()
    try:
        yield desk
    finally:
        await desk.kill()


@asynccontextmanager
async def running(*command: str, **environment: str) -> AsyncIterator[Client]:
    """A client that runs meanwhile."""
    client = Client(await asyncio.create_subprocess_exec(*command, stdout=PIPE, env=os.environ | environment))
    try:
        yield client
    finally:
        await client.kill()


def python(*arguments: str) -> Sequence[str]:
    """A command of this interpreter."""
    return (sys.executable, *arguments)
