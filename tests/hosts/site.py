"""The desk on its hosts: PostgreSQL, its standby, two API hosts, two worker hosts; the clients have one of their own.

Whoever opens the site becomes a process of the clients' host, for good: all it does it does across the network.
"""

import asyncio
import ctypes
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from config.database import connection, create_database, migrate
from models.system import set_clock_mode
from tests.cluster.desk import Desk, propdesk, running
from tests.cluster.postgres import OWNER
from tests.cluster.postgres import Cluster as Postgres
from tests.hosts.network import Host, Network, network

CLONE_NEWNET = 0x40000000
POSTGRES_PORT, API_PORT = 5432, 8000
SILENCE_SECONDS = 4  # after which our processes take a silent database for lost: shorter than the default, to save time
SHARDS = 4
SHARED_SECONDS_MAX = 60.0
CONNECT_SECONDS = 2  # for each server of the address
ENVIRONMENT = {
    "PROPDESK_SILENCE_SECONDS_MAX": str(SILENCE_SECONDS),
    "PROPDESK_CLIENT_SILENCE_SECONDS_MAX": str(2 * SILENCE_SECONDS),
    "PROPDESK_SHARD_LEASE_SECONDS": str(SILENCE_SECONDS),
    "PROPDESK_MARKER_SHARDS": str(SHARDS),
    "PROPDESK_LOG_LEVEL": "INFO",
}


@dataclass(slots=True)
class Site:
    """The hosts, by what runs on them."""

    network: Network
    postgres: Postgres
    desk: Desk = field(init=False)

    def __getitem__(self, name: str) -> Host:
        return self.network.hosts[name]

    @property
    def folder(self) -> Path:
        return self.network.folder

    @property
    def urls(self) -> list[str]:
        """The GraphQL addresses of both API hosts."""
        return self.desk.urls

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Run a command of ours on the clients' host, as an operator does on a machine of its own."""
        return await propdesk(*arguments, env=self.desk.workers[0].environment)

    async def shared(self, database: str) -> list[str]:
        """Wait until both workers own the same number of shards; return what is wrong where they do not come to it."""
        deadline, owners = time.monotonic() + SHARED_SECONDS_MAX, dict[str, int]()
        async with connection(self.postgres.primary.url(OWNER, database)) as conn:
            while time.monotonic() < deadline:
                owners = dict(await conn.fetch("select coalesce(owner, 'nobody'), count(*) from shards group by 1"))
                if list(owners.values()) == [SHARDS // 2] * 2:
                    return []
                await asyncio.sleep(0.1)
        return [f"the shards are not shared evenly: {owners}"]


@contextmanager
def a_site() -> Iterator[Site]:
    """The hosts, and on two of them a PostgreSQL with a synchronous standby; all gone afterwards."""
    names = ("database", "standby", "api1", "api2", "worker1", "worker2", "clients")
    with network(*names) as hosts:
        enter(hosts.hosts["clients"])
        files = hosts.folder / "postgres"
        files.mkdir()
        with Postgres(files) as postgres:
            for name in ("database", "standby"):
                host = hosts.hosts[name]
                postgres.add(name, host.address, host.command(), POSTGRES_PORT)
            postgres.start(standbys=1, synchronous=True)
            yield Site(hosts, postgres)


def enter(host: Host) -> None:
    """Make this thread, and every thread and process that it starts from now on, one of the host's."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/run/netns/{host.namespace}").open("rb") as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {host.namespace}")


@asynccontextmanager
async def opened(site: Site, name: str, *, mode: str, **environment: str) -> AsyncIterator[Desk]:
    """A desk with a database of its own, `name`: an API and a worker on each of their hosts."""
    owner = await create_database(site.postgres.primary.url(OWNER, "postgres"), name)
    await migrate(owner)
    async with connection(owner) as conn:
        await set_clock_mode(conn, mode)
    folder = site.folder / name
    folder.mkdir()
    by_name = {
        f"api-{number}": {"PROPDESK_HOST": site[f"api{number}"].address, "PROPDESK_PORT": str(API_PORT)}
        for number in (1, 2)
    }
    common = ENVIRONMENT | {"OWNER_DATABASE_URL": site.postgres.url(OWNER, name)} | environment
    url = f"{site.postgres.url(database=name)}&connect_timeout={CONNECT_SECONDS}"
    built = Desk(folder, url, apis=2, workers=2, environment=common, by_name=by_name)
    for member in built.members:
        member.prefix = tuple(site[member.name.replace("-", "")].command())
    site.desk = built
    async with running(built):
        yield built
