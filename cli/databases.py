"""Which database a command works on: said in one line on stderr, once the database has been found to be the desk's."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from config.address import parse
from config.database import close_database, open_database, require_current_schema
from config.embedded import EmbeddedServer
from config.settings import Settings


def shown(settings: Settings, url: str) -> str:
    """The database in words: host, port and name, and the user; never the password."""
    address, embedded = parse(url), EmbeddedServer(settings.data_dir)
    if address.hosts[0].name == str(embedded.pgdata):
        return f"{address.database} of the embedded PostgreSQL in {embedded.data_dir}, as {address.user}"
    return f"{address} as {address.user}"


def say(settings: Settings, url: str) -> None:
    """Say on stderr which database this is."""
    print(f"database: {shown(settings, url)}", file=sys.stderr, flush=True)


@asynccontextmanager
async def opened(settings: Settings, process: str, *, pool_size: int = 2) -> AsyncIterator[None]:
    """The process's pool, open on the desk's database. Raises Problem where that is not this program's desk."""
    assert settings.database_url, "running_database has filled it in"
    await require_current_schema(settings.database_url)
    say(settings, settings.database_url)
    await open_database(settings.database_url, pool_size=pool_size, name=process)
    try:
        yield
    finally:
        await close_database()
