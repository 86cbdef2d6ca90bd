"""Opens the database for a command and prints on stderr which one it is, once the desk's schema is confirmed."""

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
LOOK_SECONDS = 0.05  # between two checks of the standby's replay position

Value = TypeVar("Value")


def shown(settings: Settings, url: str) -> str:
    """Return a description of the database: host, port, name and user, without the password."""
    address, embedded = parse(url), EmbeddedServer(settings.data_dir)
    if address.hosts[0].name == str(embedded.pgdata):
        return f"{address.database} of the embedded PostgreSQL in {embedded.data_dir}, as {address.user}"
    return f"{address} as {address.user}"


def say(settings: Settings, url: str) -> None:
    """Print on stderr which database this is."""
    print(f"database: {shown(settings, url)}", file=sys.stderr, flush=True)


async def read_from_desk(
    settings: Settings, process: str, work: Callable[[], Awaitable[Value]], again: Callable[[], None]
) -> Value:
    """Run a read-only command: on the standby if one is set and close enough to the primary, else on the primary.

    If the standby cancels the read, call `again` and start over on the primary. Raises Problem like `open_desk`.
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
    """Wait until the standby has replayed the primary's current position, at most the permitted lag; print failures."""
    assert settings.database_url
    try:
        async with connection(settings.database_url) as primary:
            position, _ = await standby.primary_position(primary, [], 0)
        conn = await open_session(read_url, process=LOOKOUT, writes=False, timeout=CONNECT_SECONDS_MAX)
        try:
            async with asyncio.timeout(settings.read_lag_seconds_max):
                while (await standby.replay_position(conn))["position"] < position:  # noqa: ASYNC110 - no event
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
    """Open the process's pool on the desk's database. Raises Problem if the schema is not this program's."""
    assert settings.database_url, "running_database has filled it in"
    await require_current_schema(settings.database_url)
    say(settings, settings.database_url)
    await open_database(settings.database_url, pool_size=pool_size, name=process)
    try:
        yield
    finally:
        await close_database()
