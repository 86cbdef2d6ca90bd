"""The worker process: its event loop, database, broker consumers and shutdown."""

import asyncio
import concurrent.futures
import logging
import signal
import threading
import time
from contextlib import suppress
from types import FrameType

from dramatiq import Broker, Middleware, Worker
from dramatiq.asyncio import EventLoopThread, get_event_loop_thread
from dramatiq.middleware import MiddlewareError
from dramatiq.middleware.asyncio import AsyncIO

from config import broker as brokers
from config import service_manager, wakeups
from config.database import close_database, open_database
from config.errors import Problem
from config.settings import Settings
from services import host_clock, ownership
from services.availability import availability
from services.epochs import Watch
from services.events import stamp_for_ever
from services.ownership import Ownership
from services.periodic import process_name
from services.supervision import Supervisor, Work, end_process, require_all_kept
from workers import actors, metrics, periodic
from workers.ending import SECONDS_MAX, end
from workers.works import Works

END_SECONDS_MAX = 5

log = logging.getLogger(__name__)


class NotReady(MiddlewareError):
    """The database could not be opened. Dramatiq propagates only MiddlewareError from a hook."""


class Resources(Middleware):
    """Opens and closes the database and runs the periodic tasks on AsyncIO's event loop; it must follow AsyncIO."""

    works: Works  # set once the actors are declared

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.supervisor = Supervisor(settings.task_failures_max, end_process)
        self.tasks: list[concurrent.futures.Future[None]] = []

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        loop = _loop()
        try:
            loop.run_coroutine(self._begin())
        except Exception as error:
            raise NotReady(str(error)) from error
        for name, work in self._endless().items():
            kept = self.supervisor.keep(name, work)
            self.tasks.append(asyncio.run_coroutine_threadsafe(kept, loop.loop))

    def _endless(self) -> dict[str, Work]:
        owner, works = self.works.owner, self.works
        assert owner is not None, "_begin comes first"
        return {
            "worker tick": lambda: periodic.tick_for_ever(self.supervisor, works),
            "shard ownership": lambda: periodic.own_for_ever(owner, works),
            "batches of others": lambda: periodic.listen_for_ever(owner, works),
            "event stamper": stamp_for_ever,
            "epoch watch": Watch().run,
            "clock watch": host_clock.run_host_clock,
            "database watch": lambda: availability().watch(),
            "watchdog": service_manager.tell_alive_for_ever,
        }

    async def _begin(self) -> None:
        url, direct, process = self.settings.database_url, self.settings.direct_url, process_name("worker")
        assert url, "the CLI has filled it in"
        assert direct, "and this one"
        await open_database(url, pool_size=self.settings.pool_size, name=process)
        await ownership.divide_desk(self.settings.marker_shards)
        owner = Ownership(direct, process, self.settings.shard_lease_seconds)
        taken = await owner.keep()  # so that an obstacle is reported at once
        self.works.owner = owner
        self.works.evaluate_soon(taken)

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        _loop().run_coroutine(self._end_works())

    async def _end_works(self) -> None:
        """Hand this worker's shards to others before it finishes its messages."""
        with suppress(Exception):  # other workers find unfinished work in the tables
            async with asyncio.timeout(END_SECONDS_MAX):
                await self.works.end()

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        for task in self.tasks:
            task.cancel()
        _loop().run_coroutine(close_database())


def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, then finish running work. Raises Problem if the worker cannot start."""
    with metrics.answering(settings):
        _run(settings)


def _run(settings: Settings) -> None:
    url = settings.broker_url or settings.direct_url
    assert url, "the CLI has filled it in"
    resources = Resources(settings)
    middleware = [*actors.middleware(), AsyncIO(), resources]
    broker = brokers.connect(
        url, connections=brokers.WORKER_CONNECTIONS, middleware=middleware, is_database=not settings.broker_url
    )
    resources.works = actors.declare(broker)
    worker = Worker(broker, worker_threads=brokers.WORKER_THREADS)
    stopping = _stop_on_signal()
    try:
        worker.start()
    except NotReady as error:
        broker.emit_after("worker_shutdown", worker)  # ends the event loop's thread, which would keep the process alive
        raise Problem(f"the worker cannot start: {error}") from error
    with wakeups.sending(broker):
        log.info("ready")
        service_manager.tell(service_manager.READY)
        stopping.wait()
        ends_at = time.monotonic() + SECONDS_MAX
        log.info("stopping")
        service_manager.tell(service_manager.STOPPING)
    end(worker, broker, ends_at)
    require_all_kept(resources.supervisor)


def _stop_on_signal() -> threading.Event:
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return stopping


def _loop() -> EventLoopThread:
    loop = get_event_loop_thread()
    assert loop is not None, "AsyncIO stands before us"
    return loop
