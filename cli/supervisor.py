"""Supervises child processes: restarts one that dies and stops all of them in order."""

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from config.errors import Problem

SUPERVISED = "PROPDESK_SUPERVISED"  # set for children: their standard input closes when the supervisor ends
BACKOFF_SECONDS = (0.2, 0.5, 1, 2, 5, 15)
STEADY_SECONDS = 30  # a child that ran this long restarts with the shortest pause
STOP_SECONDS_MAX = 20

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Child:
    """A propdesk command to keep running, with the name used in log lines."""

    name: str
    command: str


class Keeper:
    """The supervisor of one child, which inherits the standard output and error."""

    def __init__(self, child: Child, environment: dict[str, str]) -> None:
        self.child = child
        self.environment = os.environ | environment | {SUPERVISED: "1"}
        self.process: asyncio.subprocess.Process | None = None
        self.deaths = 0
        self.stopping = False

    async def run(self) -> None:
        """Start the child and restart it whenever it ends, with a longer pause after each early death."""
        while not self.stopping:
            began = time.monotonic()
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # do not import from the current directory
                "-m",
                "cli.main",
                self.child.command,
                env=self.environment,
                stdin=asyncio.subprocess.PIPE,  # closes when this process ends, even by SIGKILL
                start_new_session=True,  # Ctrl-C reaches only this process, which stops the children in order
            )
            log.info("started %s, process %s", self.child.name, self.process.pid)
            status = await self.process.wait()
            if self.stopping:
                return
            self.deaths = 1 if time.monotonic() - began > STEADY_SECONDS else self.deaths + 1
            pause = BACKOFF_SECONDS[min(self.deaths, len(BACKOFF_SECONDS)) - 1]
            log.warning("%s ended with status %s; starting it again in %s s", self.child.name, status, pause)
            await asyncio.sleep(pause)

    async def stop(self, hurry: asyncio.Event) -> None:
        """Terminate the child; kill it if it takes too long or `hurry` is set."""
        self.stopping = True
        if self.process is None or self.process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            self.process.terminate()
            ended = asyncio.create_task(self.process.wait())
            hurried = asyncio.create_task(hurry.wait())
            await asyncio.wait([ended, hurried], timeout=STOP_SECONDS_MAX, return_when=asyncio.FIRST_COMPLETED)
            hurried.cancel()
            if not ended.done():
                log.warning("%s does not stop; killing it", self.child.name)
                self.process.kill()
            await ended


@asynccontextmanager
async def kept(
    children: Sequence[Child], environment: dict[str, str], hurry: asyncio.Event | None = None
) -> AsyncIterator[list[Keeper]]:
    """Keep the children running inside the block, then stop them in order, at once if `hurry` is set."""
    keepers = [Keeper(child, environment) for child in children]
    tasks = [asyncio.create_task(keeper.run()) for keeper in keepers]
    try:
        yield keepers
    finally:
        for keeper in keepers:
            await keeper.stop(hurry or asyncio.Event())
        for task in tasks:
            task.cancel()


async def supervise(
    children: Sequence[Child], environment: dict[str, str], wait_until_ready: Callable[[], Awaitable[None]]
) -> None:
    """Run the children until SIGINT or SIGTERM; a second signal kills them.

    Raises Problem if one ends before `wait_until_ready` has returned; a child that dies later is restarted.
    """
    stopped, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: hurry.set() if stopped.is_set() else stopped.set())
    async with kept(children, environment, hurry) as keepers:
        await _until_first(stopped.wait(), _all_ready(keepers, wait_until_ready))
        await stopped.wait()
        log.info("stopping")


def end_with_supervisor() -> None:
    """In a child: exit when the supervisor ends, even if it was killed. Elsewhere: do nothing."""
    if os.environ.get(SUPERVISED):
        threading.Thread(target=_end_with_standard_input, daemon=True).start()


def _end_with_standard_input() -> None:
    while os.read(sys.stdin.fileno(), 1024):  # sys.stdin.read holds a lock that interpreter shutdown needs
        pass
    os.kill(os.getpid(), signal.SIGTERM)


async def _all_ready(keepers: Sequence[Keeper], wait_until_ready: Callable[[], Awaitable[None]]) -> None:
    await _until_first(wait_until_ready(), _first_death(keepers))


async def _first_death(keepers: Sequence[Keeper]) -> None:
    while True:
        for keeper in keepers:
            if keeper.deaths:
                raise Problem(f"{keeper.child.name} ended before it was ready; the line above says why")
        await asyncio.sleep(0.1)


async def _until_first(*waits: Awaitable[object]) -> None:
    """Wait until one awaitable is done, cancel the others, and raise its exception, if any."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
