"""A real PgBouncer before a PostgreSQL, for tests."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.address import parse
from config.embedded import SYSTEM_USER

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
START_SECONDS_MAX = 20
USERS = ("postgres", "propdesk_app", "owner", "desk")


@contextmanager
def pooled(url: str, *, mode: str = "session", login: str | None = None, **settings: object) -> Iterator[str]:
    """The address of the same database through a PgBouncer of this mode, with the URL's user.

    `login`: whom the pooler logs in as, whoever comes. `settings` are PgBouncer's. Skips where there is no PgBouncer.
    """
    if PROGRAM is None:
        pytest.skip("pgbouncer is not installed (.ci/services installs it)")
    with tempfile.TemporaryDirectory(prefix="propdesk-pooler-") as directory:
        folder = Path(directory)
        port = _free_port()
        _write(folder, url, port, login, {"pool_mode": mode} | settings)
        user = SYSTEM_USER if os.geteuid() == 0 else None  # root, whom it refuses to run as
        for path in (folder, *folder.iterdir()):
            if user:
                shutil.chown(path, user)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [PROGRAM, str(folder / "pgbouncer.ini")], stdout=log, stderr=log, user=user, group=user, cwd="/"
            )
        try:
            _wait(port, process, folder / "log")
            yield f"postgresql://{parse(url).user}@127.0.0.1:{port}/{parse(url).database}"
        finally:
            process.kill()
            process.wait()


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
