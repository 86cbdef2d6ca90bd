"""`propdesk up` from nothing: it serves, mends what is killed, and leaves nothing behind."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from config.embedded import EmbeddedServer
from tests.cli.commands import COMMAND, a_free_port

PATIENCE_SECONDS = 60


class Desk:
    """A running `propdesk up` with its output in a file."""

    def __init__(self, directory: Path) -> None:
        self.port = a_free_port()
        self.output = directory / "output.log"
        self.data = directory / "data"
        environment = os.environ | {
            "PROPDESK_DATA_DIR": str(directory / "data"),
            "PROPDESK_PORT": str(self.port),
            "DATABASE_URL": "",
        }
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*COMMAND, "up"], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def said(self, pattern: str) -> list[str]:
        return re.findall(pattern, self.output.read_text())

    def wait_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.1)

    def healthy(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/healthz", trust_env=False, timeout=2).is_success
        except httpx.HTTPError:
            return False

    def logins(self) -> list[str]:
        """As whom its services are logged in to PostgreSQL."""
        with psycopg.connect(EmbeddedServer(self.data).address) as conn:
            found = conn.execute("SELECT usename FROM pg_stat_activity WHERE application_name LIKE 'propdesk-%'")
            return [name for (name,) in found.fetchall()]

    def started(self, name: str) -> list[int]:
        return [int(number) for number in self.said(rf"started {name}, process (\d+)")]

    def has_restarted(self, name: str) -> bool:
        return len(self.started(name)) == 2


@pytest.fixture
def desk() -> Iterator[Desk]:
    directory = Path(tempfile.mkdtemp(prefix="propdesk-up-"))  # not tmp_path: PostgreSQL's user has to reach it
    desk = Desk(directory)
    try:
        yield desk
    finally:
        if desk.process.poll() is None:
            desk.process.terminate()
            desk.process.wait(PATIENCE_SECONDS)
        left = EmbeddedServer(directory / "data")  # where the desk was killed outright its PostgreSQL goes on
        left.start()
        stopped = left.stop()
        shutil.rmtree(directory)
    assert stopped, "nobody else uses it"


def test_it_serves_mends_what_is_killed_and_stops_without_a_trace(desk: Desk) -> None:
    desk.wait_until(lambda: desk.said("Ctrl-C stops it"))
    assert desk.healthy()
    assert {role for role in ("ADMIN", "MANAGER", "CLIENT", "TRADER", "FEED") if desk.said(f"{role} token")} == {
        "ADMIN",
        "MANAGER",
        "CLIENT",
        "TRADER",
        "FEED",
    }
    assert desk.said("SAMPLE DATA")
    assert desk.said("SIMULATED QUOTES")
    assert set(desk.logins()) == {"propdesk_app"}
    assert not desk.said("permission denied")

    for name in ("worker", "api"):
        os.kill(desk.started(name)[0], signal.SIGKILL)
        desk.wait_until(partial(desk.has_restarted, name))
    desk.wait_until(desk.healthy)

    family = psutil.Process(desk.process.pid).children(recursive=True)
    desk.process.send_signal(signal.SIGINT)
    assert desk.process.wait(PATIENCE_SECONDS) == 0
    assert not [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.campaign
def test_killed_outright_it_takes_its_processes_along(desk: Desk) -> None:
    desk.wait_until(lambda: desk.said("Ctrl-C stops it"))
    children = psutil.Process(desk.process.pid).children()
    desk.process.kill()
    desk.process.wait()
    assert not psutil.wait_procs(children, timeout=PATIENCE_SECONDS)[1]
