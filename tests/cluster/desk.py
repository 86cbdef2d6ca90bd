"""A desk of several API and worker processes, each with its log, restarted as a service manager would restart it."""

import asyncio
import os
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from cli.supervisor import SUPERVISED
from tests.cli.commands import COMMAND, a_free_port

READY_SECONDS_MAX = 90.0
STOP_SECONDS_MAX = 30.0
RESTART_SECONDS = 1.0  # as RestartSec of a systemd unit
LOOK_SECONDS = 0.1
FAST = {
    "PROPDESK_SAMPLE_DATA": "false",
    "PROPDESK_METRICS": "true",
    "PROPDESK_POOL_SIZE": "6",
    "PROPDESK_LOG_FORMAT": "json",
    "OWNER_DATABASE_URL": "",
    "BROKER_URL": "",
    SUPERVISED: "1",  # they end when whoever started them is gone
} | {f"PROPDESK_RATE_{role}": "1000" for role in ("ADMIN", "MANAGER", "CLIENT", "TRADER", "FEED", "PAYMENTS")}
"""The environment of every process of a desk under test, before that of the test."""


@dataclass(slots=True)
class Member:
    """One process of the desk, kept running while it is wanted: `serve` or `work`.

    `prefix`: a command before it, such as `ip netns exec host`.
    """

    name: str
    command: str
    environment: Mapping[str, str]
    log: Path
    prefix: tuple[str, ...] = ()
    process: Process | None = None
    starts: int = 0
    ends: list[int] = field(default_factory=list)  # exit statuses, negative for a signal
    wanted: bool = False
    frozen: bool = False
    _keeping: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The GraphQL address of an API process."""
        host, port = self.environment["PROPDESK_HOST"], self.environment["PROPDESK_PORT"]
        return f"http://{host}:{port}/graphql"

    def start(self) -> None:
        """Run it, and start it again whenever it ends, until `stop`."""
        assert self._keeping is None, "it is kept already"
        self.wanted = True
        self._keeping = asyncio.create_task(self._keep())

    def signal(self, number: int) -> bool:
        """Send a signal to the process; False where none runs."""
        if self.process is None or self.process.returncode is not None:
            return False
        self.frozen = number == signal.SIGSTOP or (self.frozen and number not in (signal.SIGCONT, signal.SIGKILL))
        os.kill(self.process.pid, number)
        return True

    async def stop(self) -> None:
        """End it for good, with SIGKILL where SIGTERM does not do in time."""
        self.wanted = False
        if self.signal(signal.SIGCONT):
            self.signal(signal.SIGTERM)
        if self._keeping is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS_MAX):
                    await asyncio.shield(self._keeping)
            self.signal(signal.SIGKILL)
            await self._keeping
            self._keeping = None

    async def _keep(self) -> None:
        with self.log.open("ab") as log:
            while self.wanted:
                self.process = await asyncio.create_subprocess_exec(
                    *self.prefix, *COMMAND, self.command, env=dict(self.environment), stdin=PIPE, stdout=log,
                    stderr=log, start_new_session=True,
                )  # fmt: skip
                self.starts += 1
                self.ends.append(await self.process.wait())
                self.frozen = False
                if self.wanted:
                    await asyncio.sleep(RESTART_SECONDS)


class Desk:
    """A desk's processes on one database. `folder` gets a log for each."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        *,
        apis: int = 2,
        workers: int = 4,
        environment: Mapping[str, str] | None = None,
        by_name: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """`environment` is that of all processes; `by_name` of single ones, such as `worker-4`."""
        common = dict(os.environ) | FAST | {"DATABASE_URL": database_url, "PROPDESK_HOST": "127.0.0.1"}
        common |= {"PROPDESK_DATA_DIR": str(folder)} | dict(environment or {})
        own = by_name or {}

        def member(name: str, command: str, **given: str) -> Member:
            return Member(name, command, common | given | dict(own.get(name, {})), folder / f"{name}.log")

        self.folder = folder
        self.apis = [member(f"api-{n}", "serve", PROPDESK_PORT=str(a_free_port())) for n in range(1, apis + 1)]
        self.workers = [member(f"worker-{n}", "work") for n in range(1, workers + 1)]

    @property
    def members(self) -> list[Member]:
        return [*self.apis, *self.workers]

    @property
    def urls(self) -> list[str]:
        """The GraphQL addresses of the API processes."""
        return [api.url for api in self.apis]

    def named(self, name: str) -> Member:
        return next(member for member in self.members if member.name == name)

    async def start(self) -> None:
        """Start every process; return when each API process says that the desk is ready."""
        for member in self.members:
            member.start()
        await self.ready()

    async def ready(self, seconds_max: float = READY_SECONDS_MAX) -> float:
        """Wait until each API process says so; return the seconds. Raises TimeoutError saying what is missing."""
        began, missing = time.monotonic(), {}
        async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
            for api in self.apis:
                while (missing := await _missing(http, api)) and time.monotonic() - began < seconds_max:
                    await asyncio.sleep(LOOK_SECONDS)
                if missing:
                    raise TimeoutError(f"{api.name} is not ready after {seconds_max:.0f} s: {missing}")
        return time.monotonic() - began

    async def stop(self) -> None:
        await asyncio.gather(*(member.stop() for member in self.members))

    def log_lines(self, *words: str) -> list[str]:
        """Lines of all logs that hold one of the words, each after its process's name."""
        found = []
        for member in self.members:
            with suppress(FileNotFoundError):
                lines = member.log.read_text(errors="replace").splitlines()
                found += [f"{member.name}: {line}" for line in lines if any(word in line for word in words)]
        return found


async def _missing(http: httpx.AsyncClient, api: Member) -> dict[str, Any]:
    """What the process misses for its work; empty once it is ready."""
    try:
        response = await http.get(api.url.replace("/graphql", "/readyz"))
        return {} if response.status_code == 200 else dict(response.json().get("missing") or {"http": response.text})
    except (httpx.HTTPError, ValueError) as error:
        return {"http": f"{type(error).__name__}: {error}"}


@asynccontextmanager
async def running(desk: Desk) -> AsyncIterator[Desk]:
    """The desk, ready, as long as the context lasts."""
    try:
        await desk.start()
        yield desk
    finally:
        await desk.stop()


async def propdesk(*arguments: str, env: Mapping[str, str]) -> tuple[int, str]:
    """Run a command of ours to its end; return its exit status and what it said."""
    environment = dict(os.environ) | dict(env) | {SUPERVISED: ""}
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, env=environment, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode(errors="replace").strip()


async def until(holds: Callable[[], Any], seconds_max: float, what: Callable[[], str]) -> None:
    """Wait until it holds. Raises TimeoutError saying what did not come."""
    deadline = time.monotonic() + seconds_max
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds_max:.0f} s not yet: {what()}")
        await asyncio.sleep(LOOK_SECONDS)
