"""What every test may ask for: a database of its own on a real PostgreSQL, and the recorded quotes.

The server is the embedded one, or that whose programs are in the folder TEST_POSTGRES_BIN, as Debian's 15. The first
test that needs it starts it, the processes of the run share it, the last of them stops it; what a killed run left, a
later one removes. Each test's database is a clone of one that the real migrations made.
"""

import asyncio
import fcntl
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from config import gc_tuning
from config.database import close_database, connection, create_database, drop_database, migrate, open_database
from config.embedded import EmbeddedServer
from config.errors import Problem

TEMPLATE = "migrated_template"
MEMORY = Path("/dev/shm")
MEMORY_MIN = 4 << 30  # bytes
NAMED = "propdesk-tests-"
ABANDONED_SECONDS = 3600
# How long an example takes says how busy the machine is, not whether the code is right. `quick` is for `make quick`.
settings.register_profile("whole", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("whole"), max_examples=10)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "whole"))

# Partitions of months after the next: they are 200 files of each clone, and looked at by each plan.
DISTANT = """
select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent in ('ledger'::regclass, 'metrics'::regclass)
  and right(c.relname, 6) > to_char(now() + interval '1 month', 'YYYYMM')
"""
RECORDED = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as `pure` each test that asks for no database."""
    for item in items:
        if "server" not in getattr(item, "fixturenames", ()):
            item.add_marker("pure")


def pytest_collection_finish() -> None:
    """Collect garbage as a process that serves does: a look at everything imported costs a tenth of the run."""
    gc_tuning.settle()


@pytest.fixture(scope="session")
def server(testrun_uid: str) -> Iterator[str]:
    """The address of a throwaway PostgreSQL with a migrated template in it."""
    clear_abandoned(room())
    directory = room() / f"{NAMED}{testrun_uid}"
    postgres = a_postgres(directory)
    address = postgres.start()
    try:
        with (directory / "template.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            asyncio.run(_make_template(address))
        yield address
    finally:
        if postgres.stop():
            shutil.rmtree(directory)


def a_postgres(directory: Path) -> EmbeddedServer:
    """A PostgreSQL that trades durability for speed: the embedded one, or that of TEST_POSTGRES_BIN."""
    programs = os.environ.get("TEST_POSTGRES_BIN")
    return EmbeddedServer(directory, throwaway=True, **({"programs": Path(programs)} if programs else {}))


def room() -> Path:
    """Where the server's files lie: in memory where there is enough of it, as each clone copies a thousand of them."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_MIN:
        return MEMORY
    return Path(tempfile.gettempdir())


def clear_abandoned(place: Path) -> None:
    """Stop and remove the servers of runs that were killed; of one that goes on we are not the last user."""
    alone = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in place.glob(f"{NAMED}*"):
            if os.access(left, os.W_OK) and time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
                with suppress(Problem):
                    postgres = a_postgres(left)
                    postgres.start()
                    if postgres.stop():
                        shutil.rmtree(left)
    except BlockingIOError:
        return  # another process of the run is at it
    finally:
        os.close(alone)


async def _make_template(address: str) -> None:
    try:
        url = await create_database(address, TEMPLATE)
    except asyncpg.DuplicateDatabaseError:
        return
    await migrate(url)
    async with connection(url) as owner:
        await drop_distant_partitions(owner)


async def drop_distant_partitions(owner: asyncpg.Connection) -> None:
    """Drop the partitions of the months after the next: each file of theirs is copied for each test."""
    for row in await owner.fetch(DISTANT):
        await owner.execute(f"drop table {row['name']}")


@pytest.fixture
async def empty_database(server: str) -> AsyncIterator[str]:
    """The address of a migrated database of this test's own, which nobody has opened yet."""
    name = f"test_{uuid.uuid4().hex}"
    yield await create_database(server, name, template=TEMPLATE)
    await drop_database(server, name)


@pytest.fixture
async def database(empty_database: str) -> AsyncIterator[str]:
    """The same, with the process's pool open on it."""
    await open_database(empty_database, pool_size=10, name="test")
    yield empty_database
    await close_database()


@pytest.fixture
def recorded_quotes() -> Callable[[str], Path]:
    """`recorded_quotes("fx_1m.csv.gz")`: the file's path; without the recordings the test is skipped, saying so."""

    def find(name: str) -> Path:
        path = RECORDED / name
        if not path.exists():
            pytest.skip(f"no recorded quotes: {path} is not there")
        return path

    return find
