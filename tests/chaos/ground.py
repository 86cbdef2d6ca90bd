"""A desk to be hurt: PostgreSQL on a small file system of its own with a WAL archive, API and worker processes."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

from tests.chaos.faults import FAKETIME, Ground, clock_environment
from tests.cluster.desk import Desk, propdesk
from tests.cluster.postgres import Cluster
from tests.cluster.servers import Server
from tests.workers.brokers import KINDS as BROKERS
from tests.workers.brokers import Kind as Broker

VOLUME_BYTES = 3 << 30  # of a file system in memory: it takes what it holds
SHARDS = 4
POSTGRES = {"wal_keep_size": "64MB", "max_wal_size": "256MB", "archive_timeout": "10s", "log_checkpoints": "off"}
ODD_CLOCKS = ("api-2", "worker-4")  # the processes whose clocks jump


@asynccontextmanager
async def ground_of(folder: Path, *, apis: int, workers: int, broker: str | None = None) -> AsyncIterator[Ground]:
    """A started PostgreSQL with the schema, and a desk on it that is not started yet.

    `broker`: `redis`, `rabbitmq` or `postgresql`, a server of its own; None: the desk's database.
    """
    async with AsyncExitStack() as stack:
        volume = folder / "postgres"
        volume.mkdir()
        is_small = stack.enter_context(_small(volume))
        cluster = stack.enter_context(Cluster(volume, settings=POSTGRES, archive=True))
        await asyncio.to_thread(cluster.start, 0)
        server = cluster.primary
        stack.callback(shutil.copy, server.log, folder / "postgres.log")  # what the volume holds is gone with it
        await migrate(server)
        server_of_broker = stack.enter_context(_broker(folder / "broker", broker)) if broker else None
        clocks = {name: folder / f"clock-{name}" for name in ODD_CLOCKS} if FAKETIME.exists() else {}
        desk = Desk(
            folder,
            server.url(),
            apis=apis,
            workers=workers,
            environment={
                "PROPDESK_MARKER_SHARDS": str(SHARDS),
                "BROKER_URL": server_of_broker.url if server_of_broker else "",
            },
            by_name={name: clock_environment(clock) for name, clock in clocks.items()},
        )
        stack.push_async_callback(desk.stop)
        yield Ground(desk, server, volume if is_small else None, server_of_broker, clocks)


async def migrate(server: Server) -> None:
    """Give the server's database the schema."""
    environment = {"DATABASE_URL": server.url(), "OWNER_DATABASE_URL": server.url("postgres"), "BROKER_URL": ""}
    status, said = await propdesk("migrate", env=environment)
    assert status == 0, said


@contextmanager
def _broker(folder: Path, name: str) -> Iterator[Broker]:
    """A broker's server that runs meanwhile."""
    broker = BROKERS[name](folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.thaw()
        broker.stop()


@contextmanager
def _small(place: Path) -> Iterator[bool]:
    """Whether the folder is a file system of its own meanwhile, which only root can make it."""
    is_mounted = False
    if os.geteuid() == 0:
        command = ["mount", "-t", "tmpfs", "-o", f"size={VOLUME_BYTES},mode=755", "propdesk-chaos", str(place)]
        is_mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            with suppress(subprocess.CalledProcessError):
                subprocess.run(["umount", "--lazy", str(place)], check=True, capture_output=True)
