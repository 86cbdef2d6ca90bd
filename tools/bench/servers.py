"""Throwaway Redis and RabbitMQ, as Debian installs them, on ports and in folders of their own, for benches and tests.

Each can be stopped, killed and started again at the same address, with what it had on disk.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tools.ports import free_port

START_SECONDS_MAX = 60
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one in PATH insists on a system user
CONNECTION_SECONDS = 1


class Missing(Exception):
    """The server is not installed here; the text names the package."""


class ThrowawayServer:
    """A process that listens on a port of 127.0.0.1."""

    package: str
    url: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when the server answers. Raises Missing, or RuntimeError with the end of its log."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = self._launch()
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.package} did not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server in order, and what it left behind."""
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        self._wait(20)

    def kill(self) -> None:
        """End the server as a power cut would."""
        self._signal(signal.SIGKILL)
        self._wait(20)

    def freeze(self) -> None:
        """Stop the process: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def answers(self) -> bool:
        """Whether it speaks its protocol."""
        raise NotImplementedError

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _launch(self) -> "subprocess.Popen[bytes]":
        raise NotImplementedError

    def _popen(self, command: list[str], environment: dict[str, str] | None = None) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=os.environ | (environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that what it starts is ended with it
            )

    def _signal(self, number: int) -> None:
        if self.runs:
            assert self.process is not None
            os.killpg(self.process.pid, number)

    def _wait(self, seconds: float) -> None:
        if self.process is not None:
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


class RedisServer(ThrowawayServer):
    """A Redis with a password and 16 databases, which keeps nothing on disk."""

    package = "redis-server"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.password = secrets.token_hex(8)
        self.url = f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def _launch(self) -> "subprocess.Popen[bytes]":
        program = shutil.which("redis-server")
        if program is None:
            raise Missing(f"{self.package} is not installed")
        options = {"port": self.port, "bind": "127.0.0.1", "requirepass": self.password, "save": "", "dir": self.folder}
        return self._popen([program, *(part for name, value in options.items() for part in (f"--{name}", str(value)))])

    def answers(self) -> bool:
        return said(self.port, b"PING\r\n", lambda answer: answer.startswith((b"-NOAUTH", b"+PONG")))


class RabbitmqServer(ThrowawayServer):
    """A RabbitMQ of one node with a user `desk`, a virtual host `/desk`, and an epmd of its own."""

    package = "rabbitmq-server"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.password = secrets.token_hex(8)
        self.node_port, self.epmd_port = free_port(), free_port()
        self.epmd: subprocess.Popen[bytes] | None = None
        self.url = f"amqp://desk:{self.password}@127.0.0.1:{self.port}/desk"

    def _launch(self) -> "subprocess.Popen[bytes]":
        epmd = shutil.which("epmd")
        if not RABBITMQ.exists() or epmd is None:
            raise Missing(f"{self.package} is not installed")
        self._configure()
        node = self._environment()
        if self.epmd is None:
            self.epmd = self._popen([epmd, "-port", str(self.epmd_port), "-address", "127.0.0.1"], node)
        return self._popen([str(RABBITMQ)], node)

    def _configure(self) -> None:
        settings = {
            "listeners.tcp.1": f"127.0.0.1:{self.port}",
            "default_user": "desk",
            "default_pass": self.password,
            "default_vhost": "desk",
            "vm_memory_high_watermark.absolute": "512MB",
            "disk_free_limit.absolute": "1MB",
            "log.console": "true",
            "log.file": "false",
        }
        (self.folder / "rabbitmq.conf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        (self.folder / "plugins").write_text("[].\n")

    def _environment(self) -> dict[str, str]:
        folder = self.folder
        return {
            "HOME": str(folder),  # where the cookie is made
            "RUNNING_UNDER_SYSTEMD": "true",  # no shell stays between us and the node
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"propdesk{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self.node_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            # One scheduler that does not spin, and nobody else's network.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "+S 1:1 +sbwt none +A 4 -kernel inet_dist_use_interface {127,0,0,1}"
            ),
        }

    def answers(self) -> bool:
        return said(self.port, b"AMQP\x00\x00\x09\x01", lambda answer: answer.startswith(b"\x01\x00\x00"))

    def stop(self) -> None:
        super().stop()
        if self.epmd is not None:
            os.killpg(self.epmd.pid, signal.SIGKILL)
            self.epmd.wait()
            self.epmd = None


def said(port: int, words: bytes, is_right: Callable[[bytes], bool]) -> bool:
    """Whether a server on this machine answers these words rightly."""
    try:
        with socket.create_connection(("127.0.0.1", port), CONNECTION_SECONDS) as connection:
            connection.settimeout(CONNECTION_SECONDS)
            connection.sendall(words)
            return is_right(connection.recv(64))
    except OSError:
        return False
