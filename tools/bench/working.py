"""Workers and an API as processes of their own, as an operator runs them: what they cost, and how far they are."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from cli.supervisor import SUPERVISED
from models import system
from services.unit_of_work.reads import read_connection

KIBIBYTE = 1024
STOP_SECONDS_MAX = 30
READY_SECONDS_MAX = 300
LOOK_SECONDS = 0.02
ENVIRONMENT = {
    "OWNER_DATABASE_URL": "",
    "BROKER_URL": "",
    "PROPDESK_SAMPLE_DATA": "false",
    "PROPDESK_LOG_LEVEL": "ERROR",
    SUPERVISED: "1",  # they end with us, however we end
}


@dataclass(slots=True)
class Process:
    """One of our commands, running."""

    started: "subprocess.Popen[bytes]"

    @property
    def family(self) -> list[psutil.Process]:
        """The process and its children."""
        process = psutil.Process(self.started.pid)
        return [process, *process.children(recursive=True)]

    @property
    def seconds(self) -> float:
        """Processor seconds of all of them so far."""
        return sum(times.user + times.system for process in self.family for times in [process.cpu_times()])

    @property
    def memory(self) -> int:
        """Bytes of memory of all of them; a page that several processes share counts once (PSS)."""
        return sum(_memory(process.pid) for process in self.family)

    def kill(self) -> None:
        """Kill the process without warning, like a power cut."""
        self.started.kill()
        self.started.wait()

    def end(self) -> None:
        """Terminate the process; kill it if it does not end in time."""
        self.started.send_signal(signal.SIGTERM)
        try:
            self.started.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()


def _memory(process: int) -> int:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * KIBIBYTE for line in lines if line.startswith("Pss:"))


def start(url: str, *command: str, **environment: str) -> Process:
    """Start `propdesk work` or `propdesk serve` on a database."""
    line = [sys.executable, "-P", "-m", "cli.main", *command]
    known = os.environ | ENVIRONMENT | {"DATABASE_URL": url} | environment
    return Process(subprocess.Popen(line, env=known, stdin=subprocess.PIPE, start_new_session=True))


@contextmanager
def running(*processes: Process) -> Iterator[list[Process]]:
    """A list of the processes; whoever is in it at the end is ended."""
    running = list(processes)
    try:
        yield running
    finally:
        for one in running:
            with suppress(ProcessLookupError):
                one.end()


def servers_seconds(postgres: psutil.Process) -> float:
    """Processor seconds of PostgreSQL's processes that live now, and of those that have ended."""
    total = 0.0
    for process in (postgres, *postgres.children(recursive=True)):
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    ended = postgres.cpu_times()
    return total + ended.children_user + ended.children_system


async def behind() -> int:
    """Return how many batches the shard that is furthest behind has not judged."""
    async with read_connection() as conn:
        state = await system.read_desk(conn)
    return int(state["newest_batch"] - state["marked_through"])


def deadline() -> float:
    """Return the monotonic time at which waiting ends."""
    return time.monotonic() + READY_SECONDS_MAX
