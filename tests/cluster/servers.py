"""One real PostgreSQL server of a test, and what can befall it."""

import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from config.database import APPLICATION_ROLE
from tests.cluster.programs import START_SECONDS_MAX, Programs, Unsuccessful, free_port, until

OWNER = "postgres"
DATABASE = "propdesk"
PROMOTION_SECONDS_MAX = 60.0
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
        with suppress(Unsuccessful, OSError):
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
        self.freeze()  # else those that are killed last see the others end, and show commits that have no standby
        for process in self._frozen:
            with suppress(psutil.Error):
                process.kill()
        until(lambda: self.process is None, f"{self.name} is killed and lives on")
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
        until(lambda: self.value("select not pg_is_in_recovery()") is True, f"{self.name} is not promoted")
        return time.monotonic() - began

    def pause_replay(self) -> None:
        """Let the standby receive what its leader writes, and not show it."""
        self.query("select pg_wal_replay_pause()")
        until(lambda: self.value("select pg_get_wal_replay_pause_state()") == "paused", f"{self.name} replays on")

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
        return bool(self.value("select 1") == 1)

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
