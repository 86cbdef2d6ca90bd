"""The one connection pool of a process, shared by Tortoise and by the statements written for asyncpg."""

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast

import asyncpg
from aerich import Command
from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.context import TortoiseContext
from tortoise.exceptions import DBConnectionError, OperationalError

from config import priority
from config.address import parse, sibling
from config.asyncpg_internals import PooledConnection
from config.broker import create_tables, prepare
from config.errors import Problem
from config.fence import Lookout, fence
from config.outages import AWAY as AWAY
from config.requirements import identity_of, require_current, require_migratable, versions_of
from config.sessions import APPLICATION_ROLE as APPLICATION_ROLE
from config.sessions import at_each_host, line_of, open_session, quoted, reason_of
from config.tortoise_internals import init_for_all_tasks, pool_of

IDLE_SECONDS_MAX = 120  # between two statements of a transaction: no computation takes so long
CONTROL_CONNECTIONS = 3  # of one process beyond its pool: for readiness, for tokens, for heartbeats
LOW_CONNECTIONS = 2  # of one API beyond its pool, for bearers that have used more than their share of the database
CONNECT_SECONDS_MAX = 5  # for one server to take a connection; one that takes longer is away
MIGRATION_LOCK = 7_766_373
_UNREACHABLE = (OSError, asyncpg.InterfaceError, asyncpg.PostgresError, OperationalError)  # the last by Tortoise
_NO_DATABASE = (asyncpg.InvalidCatalogNameError, DBConnectionError)  # Tortoise turns the first into the second


class Sessions:
    """Opens each new connection of a pool. Its URL is in no message or representation."""

    def __init__(self, url: str, **wanted: Any) -> None:
        self._url = url
        self._wanted = wanted

    async def __call__(self, *_args: Any, timeout: float | None = None, **options: Any) -> asyncpg.Connection:  # noqa: ASYNC109
        """Connect as asyncpg's pool asks for it; what Tortoise adds about the address is left out."""
        kept = {name: options[name] for name in ("loop", "connection_class", "record_class") if name in options}
        return await open_session(self._url, **self._wanted, **kept, timeout=timeout)


_context: TortoiseContext | None = None
_pool: asyncpg.Pool | None = None
_control: asyncpg.Pool | None = None
_low: asyncpg.Pool | None = None
_url: str | None = None


async def open_database(
    url: str,
    *,
    pool_size: int,
    name: str,
    statement_seconds: float = 0,
    lock_seconds: float = 0,
    shared: bool = False,
    writes: bool = True,
) -> None:
    """Open this process's pool of `pool_size` connections, known to the server as `propdesk-<name>`.

    The server ends a statement after `statement_seconds`, and one that waits for a lock after `lock_seconds`; 0: never.
    `shared`: by many callers, so that a statement gets one process of the server and not several, and a process that is
    stopped in mid-transaction does not hold its locks for ever. `writes` False: a standby will do. Connects at once, as
    the application's lesser role. Raises Problem when the database cannot be reached or has no schema.
    """
    global _context, _pool, _control, _low, _url
    assert _context is None, "a process has one database open at a time"
    settings = {"jit": "off", "statement_timeout": f"{statement_seconds}s", "lock_timeout": f"{lock_seconds}s"}
    settings["random_page_cost"] = "1.1"  # no disk seeks any more; else a small desk's accounts are all read for one
    settings["client_connection_check_interval"] = "1s"  # a statement ends soon after the process that sent it
    if shared:
        settings["max_parallel_workers_per_gather"] = "0"
        settings["idle_in_transaction_session_timeout"] = f"{IDLE_SECONDS_MAX}s"
    context = TortoiseContext()
    kept: dict[str, Any] = {"max_inactive_connection_lifetime": 0}  # any other sets a timer at each release
    kept |= {
        "connect": Sessions(url, process=name, settings=settings, writes=writes),
        "connection_class": PooledConnection,
    }
    kept["timeout"] = CONNECT_SECONDS_MAX
    config = _tortoise_config(pool_size, **kept)
    try:
        async with _explained(url):
            with context:  # current while it begins; afterwards every task finds it as the global one
                await init_for_all_tasks(context, config)
                client = cast("AsyncpgDBClient", context.connections.get("default"))
                await client.execute_query("SELECT 1")
            size = {"min_size": 0, "max_size": CONTROL_CONNECTIONS}
            _control = await asyncpg.create_pool(**size, **kept)
            async with pool_of(client).acquire() as conn:
                lowers = shared and priority.can_lower(conn)
            if lowers:
                few = size | {"max_size": LOW_CONNECTIONS, "init": priority.lower}
                _low = await asyncpg.create_pool(**few, **kept)
    except BaseException:
        await context.close_connections()
        raise
    # Kept here, because inside a transaction Tortoise answers that transaction's own client, which has no pool.
    _context, _pool, _url = context, pool_of(client), url


def lookout() -> Lookout:
    """What the database this process has open is watched from. One task uses it."""
    assert _url is not None, "open_database comes first"
    return Lookout(at_each_host(_url, process="lookout"))


def drop_connections() -> None:
    """Cut off every connection of this process's pools; what is under way fails at once."""
    fence.end_all(PooledConnection)


async def close_database() -> None:
    """Close the pools, if they are open."""
    global _context, _pool, _control, _low
    context, beyond = _context, (_control, _low)
    _context = _pool = _control = _low = None
    for pool in beyond:
        if pool is not None:
            await pool.close()
    if context is not None:
        await context.close_connections()


def pool() -> asyncpg.Pool:
    """The very pool Tortoise uses. Never ask it for a second connection inside a transaction."""
    assert _pool is not None, "open_database comes first"
    return _pool


def control_pool() -> asyncpg.Pool:
    """The few connections that are kept for the process's own life signs. None is open before it is asked for."""
    assert _control is not None, "open_database comes first"
    return _control


def low_pool() -> asyncpg.Pool | None:
    """The few connections whose statements run behind others on the database's machine; None where that cannot be."""
    return _low


def pool_use() -> dict[str, int]:
    """The pool's connections: `used` and `idle` of those that are open, and the `most` there may be; empty without one.

    Safe from any thread.
    """
    opened = _pool
    if opened is None:
        return {}
    idle = opened.get_idle_size()
    return {"used": opened.get_size() - idle, "idle": idle, "most": opened.get_max_size()}


async def migrate(url: str, broker_url: str | None = None, login: str | None = None) -> list[str]:
    """Bring the schema up to date and return the names of the migrations applied; the second of two callers waits.

    Runs as the owner, and prepares the broker where it can be reached. `login`: whom the services log in as,
    where that is another. Raises Problem when unreachable, and for what a DBA has to do before.
    """
    config = owner_config(url)
    async with connection(url) as guard, TortoiseContext() as context:
        await guard.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        await require_migratable(guard, parse(url), wanted_migrations(), login)
        await context.init(config=config)
        command = Command(config, location=str(_migrations()))
        await command.init()
        applied = await command.upgrade()
        if broker_url:
            await asyncio.to_thread(prepare, broker_url)
        else:
            await asyncio.to_thread(create_tables, url, reader=APPLICATION_ROLE)
    return applied


@cache
def wanted_migrations() -> frozenset[str]:
    """The names of this program's migrations, as aerich keeps them."""
    return frozenset(file.name for file in (_migrations() / "models").glob("[0-9]*_*.py"))


async def schema_is_current(url: str) -> bool:
    """Whether the database has exactly the migrations of this program."""
    async with connection(url) as conn:
        return await versions_of(conn) == wanted_migrations()


async def require_current_schema(url: str) -> None:
    """Raise Problem unless the database is the desk's, with the schema of this program."""
    async with _explained(url):
        conn = await open_session(url, process="command")
    try:
        await require_current(conn, parse(url), wanted_migrations())
    finally:
        await conn.close()


async def require_same_database(url: str, other: str) -> None:
    """Raise Problem unless both addresses lead to one database, or when one of them cannot be reached."""
    identities = []
    for each in (url, other):
        async with connection(each) as conn:
            identities.append(await identity_of(conn))
    if identities[0] != identities[1]:
        one, another = parse(url), parse(other)
        raise Problem(
            f"{another.variable} and {one.variable} lead to two different desks, {another} and {one}; give both one"
        )


async def create_database(url: str, name: str, *, template: str = "template1") -> str:
    """Create a database beside `url`, copied from `template` (to which nobody may be connected); return its address."""
    async with connection(url) as conn:
        await conn.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')  # 30 ms, not 250
    return sibling(url, name)


async def drop_database(url: str, name: str) -> None:
    """Drop the database `name` beside `url`, if it is there, whoever is connected to it."""
    async with connection(url) as conn:
        await conn.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    """One connection outside the pool, as the URL's own role. Raises Problem when the database cannot be reached."""
    async with _explained(url):
        conn = await open_session(url, process="command", role=None)
    try:
        yield conn
    finally:
        await conn.close()


@asynccontextmanager
async def _explained(url: str) -> AsyncIterator[None]:
    """Turn what goes wrong while connecting into one line that says what to do."""
    try:
        yield
    except _NO_DATABASE:
        address = parse(url)
        raise Problem(
            f"{address.variable} ({address}): there is no database {address.database!r}; check the name, or create it: "
            f"CREATE DATABASE {quoted(address.database)};"
        ) from None
    except asyncpg.TooManyConnectionsError as error:
        address = parse(url)
        raise Problem(
            f"{address.variable} ({address}) has no connection left ({line_of(error)}); raise max_connections, or "
            "lower PROPDESK_POOL_SIZE of the processes"
        ) from None
    except _UNREACHABLE as error:
        address, cause = parse(url), (error.__cause__ or error) if isinstance(error, OperationalError) else error
        raise Problem(
            f"cannot connect to {address.variable} ({address}): {reason_of(cause)}; check the address and that the "
            "server runs"
        ) from None


def owner_config(url: str) -> dict[str, Any]:
    """Return Tortoise's configuration for migrations, which are run as the URL's own user."""
    return _tortoise_config(2, connect=Sessions(url, process="migrate", role=None))


def _tortoise_config(maxsize: int, **options: Any) -> dict[str, Any]:
    """The models, and a pool of `maxsize` connections with asyncpg's options."""
    credentials = {"minsize": 1, "maxsize": maxsize} | options
    return {
        "connections": {"default": {"engine": "tortoise.backends.asyncpg", "credentials": credentials}},
        "apps": {"models": {"models": ["models.tables", "aerich.models"], "default_connection": "default"}},
        "use_tz": True,
        "timezone": "UTC",
    }


def _migrations() -> Path:
    spec = importlib.util.find_spec("migrations")  # data of ours, found by name: nothing of it is imported here
    assert spec is not None, "the migrations are installed with us"
    assert spec.submodule_search_locations, "and are a package"
    return Path(spec.submodule_search_locations[0])
