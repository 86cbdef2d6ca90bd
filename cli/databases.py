"""Which database a command works on: said in one line on stderr, once the database has been found to be the desk's."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import asyncpg

from config.address import parse
from config.database import CONNECT_SECONDS_MAX, close_database, connection, open_database, require_current_schema
from config.embedded import EmbeddedServer
from config.outages import AWAY
from config.sessions import open_session
from config.settings import Settings
from models import standby

LOOKOUT = "lookout"
LOOK_SECONDS = 0.05  # between looks at how far a standby is

Value = TypeVar("Value")


def shown(settings: Settings, url: str) -> str:
    """The database in words: host, port and name, and the user; never the password."""
    address, embedded = parse(url), EmbeddedServer(settings.data_dir)
    if address.hosts[0].name == str(embedded.pgdata):
        return f"{address.database} of the embedded PostgreSQL in {embedded.data_dir}, as {address.user}"
    return f"{address} as {address.user}"


def say(settings: Settings, url: str) -> None:
    """Say on stderr which database this is."""
    print(f"database: {shown(settings, url)}", file=sys.stderr, flush=True)


async def read_from_desk(
    settings: Settings, process: str, work: Callable[[], Awaitable[Value]], again: Callable[[], None]
) -> Value:
    """Do what only reads: on the standby where one is named and near enough, else on the desk's database.

    A read that the standby cuts off begins anew on the desk's database, after `again`. Raises Problem like `open_desk`.
    """
    assert settings.database_url, "running_database has filled it in"
    await require_current_schema(settings.database_url)
    if settings.read_url and await _is_near(settings, settings.read_url):
        say(settings, settings.read_url)
        await open_database(settings.read_url, pool_size=2, name=process, writes=False)
        try:
            return await work()
        except (asyncpg.TransactionRollbackError, *AWAY) as error:
            print(f"the standby has cut the read off ({error}); it begins anew on the primary", file=sys.stderr)
            again()
        finally:
            await close_database()
    async with open_desk(settings, process):
        return await work()


async def _is_near(settings: Settings, read_url: str) -> bool:
    """Wait until the standby shows what the primary has now, as long as it may be behind; say why it is not asked."""
    assert settings.database_url
    try:
        async with connection(settings.database_url) as primary:
            position, _ = await standby.primary_position(primary, [], 0)
        conn = await open_session(read_url, process=LOOKOUT, writes=False, timeout=CONNECT_SECONDS_MAX)
        try:
            async with asyncio.timeout(settings.read_lag_seconds_max):
                while (await standby.replay_position(conn))["position"] < position:  # noqa: ASYNC110 - no event tells of it
                    await asyncio.sleep(LOOK_SECONDS)
        finally:
            conn.terminate()
    except AWAY as error:
        reason = str(error) or "it is too far behind, or does not answer"
        print(f"the standby {parse(read_url)} is not asked: {reason}", file=sys.stderr)
        return False
    return True


@asynccontextmanager
async def open_desk(settings: Settings, process: str, *, pool_size: int = 2) -> AsyncIterator[None]:
    """The process's pool, open on the desk's database. Raises Problem where that is not this program's desk."""
    assert settings.database_url, "running_database has filled it in"
    await require_current_schema(settings.database_url)
    say(settings, settings.database_url)
    await open_database(settings.database_url, pool_size=pool_size, name=process)
    try:
        yield
    finally:
        await close_database()
