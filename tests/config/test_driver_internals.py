"""The undocumented names of asyncpg and Tortoise's connections; a test names the one that a new version has changed."""

import inspect

import asyncpg
import pytest
from asyncpg.pool import PoolConnectionHolder, PoolConnectionProxy
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.connection import get_connections
from tortoise.context import TortoiseContext

from config.asyncpg_internals import PooledConnection, abort, release, socket_of
from config.database import pool
from config.tortoise_internals import pool_of, transaction_client


def parameters(function: object) -> list[str]:
    assert callable(function)
    return list(inspect.signature(function).parameters)


def test_asyncpg_has_the_names_that_its_adapter_uses() -> None:
    assert parameters(asyncpg.Connection._do_execute)[:4] == ["self", "query", "executor", "timeout"]  # noqa: SLF001
    assert parameters(asyncpg.Connection.reset) == ["self", "timeout"]
    assert parameters(PoolConnectionHolder.release) == ["self", "timeout"]
    assert {"_transport", "_top_xact"} <= set(asyncpg.Connection.__slots__)
    assert {"_con", "_holder"} <= set(PoolConnectionProxy.__slots__)


def test_tortoise_has_the_names_that_its_adapter_uses() -> None:
    assert "_enable_global_fallback" in parameters(TortoiseContext.init)
    assert parameters(TransactionWrapper.__init__) == ["self", "connection"]


async def test_a_pooled_connection_has_a_socket_and_returns_to_its_pool(database: str) -> None:
    conn = await pool().acquire()
    assert type(conn._con) is PooledConnection  # noqa: SLF001 - what is tested
    assert socket_of(conn) is not None
    idle = pool().get_idle_size()
    await release(conn, 5)
    assert pool().get_idle_size() == idle + 1
    await release(conn, 5)  # released already: nothing happens


async def test_a_connection_that_was_aborted_fails(database: str) -> None:
    conn = await pool().acquire()
    abort(conn)
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)):
        await conn.fetchval("select 1")
    await pool().release(conn)


async def test_tortoise_uses_the_pool_and_a_transaction_of_ours(database: str) -> None:
    client = get_connections().get("default")
    assert isinstance(client, AsyncpgDBClient)
    assert pool_of(client) is pool()
    async with pool().acquire() as conn, conn.transaction():
        await conn.execute("create temporary table seen (n int) on commit drop")
        _, rows = await transaction_client(client, conn).execute_query("select count(*) as many from seen")
        assert rows[0]["many"] == 0
