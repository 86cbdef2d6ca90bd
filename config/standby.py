"""Connections to the standby database, which serves reads that may lag: a pool, and one session that watches it."""

import asyncpg

from config.asyncpg_internals import PooledConnection
from config.database import CONNECT_SECONDS_MAX, Sessions
from config.sessions import open_session

_url: str | None = None
_pool: asyncpg.Pool | None = None


async def open_standby(url: str, *, pool_size: int, name: str, statement_seconds: float) -> None:
    """Create a pool of at most `pool_size` connections to the standby, without connecting: it may be unavailable."""
    global _url, _pool
    assert _pool is None, "a process has one standby open at a time"
    settings = {"jit": "off", "statement_timeout": f"{statement_seconds}s", "random_page_cost": "1.1"}
    settings |= {"client_connection_check_interval": "1s", "max_parallel_workers_per_gather": "0"}
    _pool = await asyncpg.create_pool(
        min_size=0,
        max_size=pool_size,
        max_inactive_connection_lifetime=0,
        connect=Sessions(url, process=f"{name}-read", settings=settings, writes=False),
        connection_class=PooledConnection,
        timeout=CONNECT_SECONDS_MAX,
    )
    _url = url


async def close_standby() -> None:
    """Close the pool, if it is open."""
    global _url, _pool
    pool, _url, _pool = _pool, None, None
    if pool is not None:
        await pool.close()


def standby_pool() -> asyncpg.Pool | None:
    """Return the pool of the standby, or None if no standby is configured."""
    return _pool


async def standby_session() -> asyncpg.Connection:
    """Open the session that watches the standby."""
    assert _url is not None, "open_standby comes first"
    return await open_session(_url, process="lookout", writes=False, timeout=CONNECT_SECONDS_MAX)
