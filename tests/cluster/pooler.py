"""A real PgBouncer before a PostgreSQL, for tests."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config.address import parse
from config.embedded import SYSTEM_USER

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
START_SECONDS_MAX = 20
USERS = ("postgres", "propdesk_app", "owner", "desk")


@dataclass(eq=False, slots=True)
class Pooler:
    """A running PgBouncer."""

    url: str  # of the database through it
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it listens."""
        assert PROGRAM, "it is installed"
        user = SYSTEM_USER if os.geteuid() == 0 else None  # root, whom it refuses to run as
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, str(self.folder / "pgbouncer.ini")], stdout=log, stderr=log, user=user, group=user, cwd="/"
            )
        _wait(parse(self.url).hosts[0].port, self.process, self.folder / "log")

    def kill(self) -> None:
        """End it at once, with every session that goes through it."""
        assert self.process is not None, "it runs"
        self.process.kill()
        self.process.wait()


@contextmanager
def pooler(url: str, *, mode: str = "session", login: str | None = None, **settings: object) -> Iterator[Pooler]:
    """A PgBouncer of this mode before the server of the URL.

    `login`: whom the pooler logs in as, whoever comes. `settings` are PgBouncer's. Skips where there is no PgBouncer.
    """
    if PROGRAM is None:
        pytest.skip("pgbouncer is not installed (.ci/services installs it)")
    with tempfile.TemporaryDirectory(prefix="propdesk-pooler-") as directory:
        folder, port, address = Path(directory), _free_port(), parse(url)
        _write(folder, url, port, login, {"pool_mode": mode} | settings)
        if os.geteuid() == 0:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, SYSTEM_USER)
        running = Pooler(f"postgresql://{address.user}@127.0.0.1:{port}/{address.database}", folder)
        running.start()
        try:
            yield running
        finally:
            running.kill()


@contextmanager
def pooled(url: str, **settings: Any) -> Iterator[str]:
    """The address of the same database through a PgBouncer."""
    with pooler(url, **settings) as running:
        yield running.url


def _write(folder: Path, url: str, port: int, login: str | None, settings: dict[str, object]) -> None:
    address = parse(url)
    (server,) = address.hosts
    forced = f" user={login}" if login else ""
    lines = {"listen_addr": "127.0.0.1", "listen_port": port, "unix_socket_dir": "", "auth_type": "trust"}
    lines |= {"auth_file": folder / "users", "admin_users": "postgres", "default_pool_size": 50, "max_client_conn": 500}
    lines |= settings
    (folder / "users").write_text("".join(f'"{user}" ""\n' for user in USERS))
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={server.name} port={server.port}{forced}\n[pgbouncer]\n"
        + "".join(f"{name} = {value}\n" for name, value in lines.items())
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"pgbouncer does not listen: {log.read_text(errors='replace')}")
