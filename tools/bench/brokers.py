"""The cost of a wake-up on each broker (sent, received, acknowledged), compared with one committed INSERT.

One at a time, as most come: it waits for nobody, and the next is sent when its actor has been called. Redis and
RabbitMQ are Debian's, started for this; where one is not installed its figure is left out, saying so.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import dramatiq
import psycopg
from dramatiq import Broker, Worker

from config import broker as brokers
from config.broker import QUEUES, WORKER_CONNECTIONS, wake_up
from tools.bench.harness import Figure, Server, console
from tools.bench.servers import Missing, RabbitmqServer, RedisServer

MESSAGES = 500
CALL_SECONDS_MAX = 10
TARGET = 10  # inserts: the same order
ACTOR = "work_queue"


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one message, in microseconds."""

    elapsed: float
    processor: float  # of this process alone


def broker_figures(server: Server, rounds: int, messages: int = MESSAGES) -> list[Figure]:
    """Measure each broker that is here; the order of rounds goes over all of them, so that the machine is the same."""
    costs: dict[str, list[Cost]] = {}
    inserts: list[Cost] = []
    with _urls(server) as urls:
        for url in urls.values():
            _of_messages(url, messages // 10)  # so that nothing is done for the first time
        for _ in range(rounds):
            inserts.append(_of_inserts(server.url, messages))
            for name, url in urls.items():
                costs.setdefault(name, []).append(_of_messages(url, messages))
    return [_figure(name, of, inserts) for name, of in costs.items()]


def _figure(name: str, costs: list[Cost], inserts: list[Cost]) -> Figure:
    return Figure(
        f"a wake-up on {name}, sent, taken and acknowledged",
        "one INSERT, committed",
        tuple(cost.elapsed / insert.elapsed for cost, insert in zip(costs, inserts, strict=True)),
        TARGET,
        at_most=True,
        said=f"{_median(costs, 'elapsed')} : {_median(inserts, 'elapsed')} us, of which this process computes "
        f"{_median(costs, 'processor')} : {_median(inserts, 'processor')}",
    )


def _median(costs: list[Cost], what: str) -> str:
    return f"{median(getattr(cost, what) for cost in costs):.0f}"


@contextmanager
def _urls(server: Server) -> Iterator[Mapping[str, str]]:
    """The address of each broker by its name, PostgreSQL's first."""
    brokers.create_tables(server.url)
    urls = {"PostgreSQL": server.url}
    with tempfile.TemporaryDirectory(prefix="propdesk-bench-") as folder:
        others = {"Redis": RedisServer(Path(folder) / "redis"), "RabbitMQ": RabbitmqServer(Path(folder) / "rabbitmq")}
        try:
            for name, other in others.items():
                try:
                    other.start()
                except Missing as missing:
                    console.print(f"  {name} is left out: {missing}")
                else:
                    urls[name] = other.url
            yield urls
        finally:
            for other in others.values():
                other.stop()


def _of_messages(url: str, messages: int) -> Cost:
    broker = brokers.connect(url, connections=WORKER_CONNECTIONS, middleware=[])
    called = threading.Semaphore(0)

    def work_queue() -> None:
        called.release()

    def send() -> None:
        broker.enqueue(wake_up(ACTOR))
        if not called.acquire(timeout=CALL_SECONDS_MAX):
            raise TimeoutError(f"no message came within {CALL_SECONDS_MAX} s from {brokers.shown(url)}")

    dramatiq.actor(actor_name=ACTOR, queue_name=QUEUES[ACTOR], broker=broker)(work_queue)
    try:
        with _working(broker):
            send()
            return _cost(send, messages)
    finally:
        brokers.disconnect(broker)


@contextmanager
def _working(broker: Broker) -> Iterator[None]:
    worker = Worker(broker, worker_threads=1)
    worker.start()
    try:
        yield
    finally:
        worker.stop(timeout=5_000)


def _of_inserts(url: str, messages: int) -> Cost:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bench_floor (id bigserial PRIMARY KEY, words text)")

        def insert() -> None:
            connection.execute("INSERT INTO bench_floor (words) VALUES (%s)", ("a wake-up",))

        return _cost(insert, messages)


def _cost(work: Callable[[], None], times: int) -> Cost:
    began, computed = time.perf_counter(), time.process_time()
    for _ in range(times):
        work()
    elapsed, processor = time.perf_counter() - began, time.process_time() - computed
    return Cost(elapsed / times * 1e6, processor / times * 1e6)
