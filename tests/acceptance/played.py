"""The demo as a process, watched line by line while its servers are killed under it."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from tests.cli.commands import COMMAND

HASH = re.compile(r"ledgers hash to ([0-9a-f]{64})")
SECONDS_MAX = 240


@dataclass(frozen=True, slots=True)
class Played:
    """How a demo ended: its exit status, everything it printed, and the hash of its outcome."""

    status: int
    output: str

    @property
    def digest(self) -> str | None:
        found = HASH.search(self.output)
        return found[1] if found else None


def play(
    *arguments: str, server: str, watch: Callable[[str, psutil.Process], None] | None = None, **settings: str
) -> Played:
    """Run `propdesk demo` on a server; `watch` sees each line as it is printed, and the demo's process."""
    environment = os.environ | settings | {"DATABASE_URL": server, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*COMMAND, "demo", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        assert demo.stdout
        lines = []
        for line in demo.stdout:
            lines.append(line)
            if watch:
                watch(line, psutil.Process(demo.pid))
        status = demo.wait(SECONDS_MAX)
    return Played(status, "".join(lines))


def kill_worker(demo: psutil.Process) -> bool:
    return _kill(demo, "work")


def kill_api(demo: psutil.Process) -> bool:
    return _kill(demo, "serve")


def _kill(demo: psutil.Process, command: str) -> bool:
    """Kill -9 the demo's child that runs the command; False while it is not there."""
    for child in demo.children():
        if command in child.cmdline():
            child.send_signal(signal.SIGKILL)
            return True
    return False


def wipe_broker(demo: psutil.Process) -> bool:
    """Take all that waits out of the broker, and all it knows of its workers."""
    with psycopg.connect(address_of(demo)) as conn:
        conn.execute("truncate dramatiq.queue, dramatiq.worker")
    return True


def address_of(demo: psutil.Process) -> str:
    """Where the demo's desk is stored."""
    return demo.children()[0].environ()["DATABASE_URL"]


@contextmanager
def another_worker(demo: psutil.Process) -> Iterator[None]:
    """A second worker beside the demo's own, on the same desk. The demo stands still until both are at work."""
    environment = next(child.environ() for child in demo.children() if "work" in child.cmdline())
    nowhere = subprocess.DEVNULL  # the desk is gone before it is
    demo.suspend()
    with subprocess.Popen([*COMMAND, "work"], env=environment, stdin=subprocess.PIPE, stderr=nowhere) as worker:
        try:
            try:
                _both_beat(environment["DATABASE_URL"], worker)
            finally:
                demo.resume()
            yield
        finally:
            worker.kill()


def _both_beat(address: str, worker: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    with psycopg.connect(address, autocommit=True) as conn:
        while conn.execute("select count(*) from heartbeats where kind = 'worker'").fetchall() != [(2,)]:
            assert worker.poll() is None, "the second worker did not start"
            assert time.monotonic() < deadline, "the second worker shows no life"
            time.sleep(0.05)


def with_quotes(path: Path) -> tuple[str, str]:
    return "--quotes", str(path)
