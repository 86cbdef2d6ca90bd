"""The three brokers as tests use them: real servers that can be killed, frozen, wiped and looked into."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis
from dramatiq import Broker, Worker
from dramatiq.middleware.asyncio import AsyncIO
from pika import BlockingConnection, URLParameters
from pika.exceptions import ChannelClosedByBroker

from config import broker as brokers
from config.broker import QUEUES
from config.embedded import DATABASE, EmbeddedServer
from tools.bench.servers import Missing, RabbitmqServer, RedisServer
from workers import actors

NAMES = ("postgresql", "redis", pytest.param("rabbitmq", marks=pytest.mark.campaign))  # the last starts in 7 s
PATIENCE_SECONDS = 40


class Kind:
    """A broker's server. One that a test has left dead or frozen is well again for the next."""

    url: str
    place: int | Path  # where it listens: a port of this machine, or a socket

    def through(self, port: int) -> str:
        """Its address behind a cable that begins at the port."""
        assert isinstance(self.place, int)
        return self.url.replace(f":{self.place}/", f":{port}/")

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        raise NotImplementedError

    def freeze(self) -> None:
        raise NotImplementedError

    def thaw(self) -> None:
        raise NotImplementedError

    def wipe(self) -> None:
        """Remove everything that is in it."""
        raise NotImplementedError

    def waiting(self, queue: str) -> int:
        """Messages that nobody has taken."""
        raise NotImplementedError

    def kept(self) -> int:
        """All that is there, of messages that were done or failed as well."""
        raise NotImplementedError

    def mend(self) -> None:
        """Make it run, empty."""
        self.thaw()
        self.start()
        self.wipe()


class OnRedis(Kind):
    def __init__(self, folder: Path) -> None:
        self.server = RedisServer(folder)
        self.url, self.place = self.server.url, self.server.port
        self.stop, self.kill = self.server.stop, self.server.kill  # type: ignore[method-assign]
        self.freeze, self.thaw = self.server.freeze, self.server.thaw  # type: ignore[method-assign]

    def start(self) -> None:
        if not self.server.runs:
            self.server.start()

    def wipe(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def waiting(self, queue: str) -> int:
        with redis.Redis.from_url(self.url) as client:
            return int(client.llen(f"propdesk:{queue}"))

    def kept(self) -> int:
        with redis.Redis.from_url(self.url) as client:
            return sum(
                int(client.hlen(f"propdesk:{queue}.msgs")) + int(client.zcard(f"propdesk:{queue}.XQ"))
                for queue in set(QUEUES.values())
            )


class OnRabbitmq(Kind):
    def __init__(self, folder: Path) -> None:
        self.server = RabbitmqServer(folder)
        self.url, self.place = self.server.url, self.server.port
        self.stop, self.kill = self.server.stop, self.server.kill  # type: ignore[method-assign]
        self.freeze, self.thaw = self.server.freeze, self.server.thaw  # type: ignore[method-assign]

    def start(self) -> None:
        if not self.server.runs:
            self.server.start()

    def wipe(self) -> None:
        with BlockingConnection(URLParameters(self.url)) as connection:
            for queue in set(QUEUES.values()):
                connection.channel().queue_delete(queue)

    def waiting(self, queue: str) -> int:
        with BlockingConnection(URLParameters(self.url)) as connection, suppress(ChannelClosedByBroker):
            return int(connection.channel().queue_declare(queue, passive=True).method.message_count)
        return 0

    def kept(self) -> int:
        return sum(self.waiting(f"{queue}{suffix}") for queue in set(QUEUES.values()) for suffix in ("", ".DQ", ".XQ"))


class OnPostgresql(Kind):
    def __init__(self, folder: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="propdesk-broker-"))  # one that PostgreSQL's user may enter
        self.server = EmbeddedServer(self.folder, throwaway=True)
        self.url, self.place = self.server.address, self.server.pgdata / ".s.PGSQL.5432"
        self.begun = False

    def start(self) -> None:
        if self.begun:
            self.server.mend()
        else:
            self.server.start()
            self.begun = True
        brokers.create_tables(self.url)

    def stop(self) -> None:
        if self.server.stop():
            shutil.rmtree(self.folder)

    def through(self, port: int) -> str:
        return f"postgresql://postgres@127.0.0.1:{port}/{DATABASE}"

    def kill(self) -> None:
        processes = self._signal(signal.SIGKILL)
        psutil.wait_procs(processes, 20)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def wipe(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS dramatiq CASCADE")

    def mend(self) -> None:
        super().mend()
        brokers.create_tables(self.url)

    def waiting(self, queue: str) -> int:
        return self._count("SELECT count(*) FROM dramatiq.queue WHERE queue_name = %s AND state = 'queued'", queue)

    def kept(self) -> int:
        return self._count("SELECT count(*) FROM dramatiq.queue")

    def _count(self, statement: str, *args: str) -> int:
        with psycopg.connect(self.url) as connection:
            row = connection.execute(statement, args).fetchone()
            assert row is not None
            return int(row[0])

    def _signal(self, number: int) -> list[psutil.Process]:
        processes: list[psutil.Process] = []
        with suppress(OSError, ValueError, psutil.NoSuchProcess):
            postmaster = psutil.Process(int((self.server.pgdata / "postmaster.pid").read_text().split()[0]))
            processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)
        return processes


KINDS: dict[str, Callable[[Path], Kind]] = {"postgresql": OnPostgresql, "redis": OnRedis, "rabbitmq": OnRabbitmq}


@contextmanager
def all_kinds(folder: Path) -> Iterator[Callable[[str], Kind]]:
    """Give the server of a broker, started by the first who asks for it; all are stopped at the end."""
    started: dict[str, Kind] = {}

    def give(name: str) -> Kind:
        if name not in started:
            kind = KINDS[name](folder / name)
            try:
                kind.start()
            except Missing as missing:
                pytest.skip(str(missing))
            started[name] = kind
        started[name].mend()
        return started[name]

    try:
        yield give
    finally:
        for kind in started.values():
            kind.thaw()
            kind.stop()


def a_broker(url: str) -> Broker:
    """A broker with a worker's middleware and no actors yet."""
    middleware = [*actors.middleware(), AsyncIO()]
    return brokers.connect(url, connections=brokers.WORKER_CONNECTIONS, middleware=middleware)


@contextmanager
def connected(url: str) -> Iterator[Broker]:
    """The broker, disconnected afterwards."""
    broker = a_broker(url)
    try:
        yield broker
    finally:
        brokers.disconnect(broker)


def a_worker(broker: Broker) -> Worker:
    """A worker that consumes until it is stopped."""
    worker = Worker(broker, worker_timeout=200, worker_threads=brokers.WORKER_THREADS)
    worker.start()
    return worker


@contextmanager
def working(broker: Broker) -> Iterator[Worker]:
    """A worker that consumes meanwhile."""
    worker = a_worker(broker)
    try:
        yield worker
    finally:
        worker.stop(timeout=10_000)


def until(holds: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)
