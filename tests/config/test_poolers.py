"""The desk through a pooler, a real PgBouncer: each client its own session, or a refusal in one line."""

import logging

import asyncpg
import pytest

from config import poolers, sessions
from config.address import libpq_parameters
from config.connection_budget import connections_wanted, require_connections
from config.database import (
    close_database,
    connection,
    control_pool,
    migrate,
    open_database,
    pool,
    require_current_schema,
)
from config.errors import Problem
from config.sessions import open_session
from config.settings import Settings
from tests.cli.commands import propdesk
from tests.cluster.pooler import pooled


async def test_the_desk_works_through_a_pooler_that_leaves_each_client_its_session(empty_database: str) -> None:
    with pooled(empty_database) as url:
        await require_current_schema(url)
        assert await migrate(url) == []
        await open_database(url, pool_size=4, name="test", statement_seconds=0.2, shared=True)
        try:
            for each in (pool(), control_pool()):
                row = await each.fetchrow(
                    "select current_user as role, current_setting('TimeZone') as zone, current_setting('jit') as jit, "
                    "current_setting('application_name') as name"
                )
                assert dict(row) == {"role": "propdesk_app", "zone": "UTC", "jit": "off", "name": "propdesk-test"}
            with pytest.raises(asyncpg.QueryCanceledError):
                await pool().execute("select pg_sleep(30)")
            assert await poolers.is_pooled(await pool().acquire())
        finally:
            pool().terminate()
            await close_database()


async def test_the_role_is_taken_anew_where_a_pooler_reuses_sessions_and_logs_in_as_somebody_else(
    empty_database: str,
) -> None:
    with pooled(empty_database.replace("postgres@", "desk@"), login="postgres", server_reset_query="") as url:
        for _ in range(3):
            conn = await open_session(url, process="test")
            row = await conn.fetchrow("select current_user as role, session_user as login")
            assert dict(row) == {"role": "propdesk_app", "login": "postgres"}
            await conn.execute("reset role")
            await conn.close()


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize("round_robin", [0, 1])
async def test_a_pooler_that_shares_sessions_is_refused_in_one_line(
    empty_database: str, mode: str, round_robin: int
) -> None:
    with pooled(empty_database, mode=mode, server_round_robin=round_robin, min_pool_size=3) as url:
        with pytest.raises(Problem, match="pool_mode = session") as refused:
            await open_database(url, pool_size=2, name="test")
        assert "\n" not in str(refused.value)
        with pytest.raises(Problem, match="pool_mode = session"):
            await migrate(url)
        done = propdesk("verify", DATABASE_URL=url)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)


async def test_a_session_that_does_not_get_the_role_is_refused(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_TAKE_ROLE", "select $1::text")  # a pooler that drops it
    with pytest.raises(Problem, match="work as postgres, not as propdesk_app"):
        await open_database(empty_database, pool_size=2, name="test")


async def test_a_pooler_without_a_session_left_is_named(empty_database: str) -> None:
    with pooled(empty_database, default_pool_size=2) as url:
        impatient = f"{url}?connect_timeout=1"
        async with connection(impatient), connection(impatient):
            with pytest.raises(Problem, match="pool_size"):
                await require_current_schema(impatient)


async def test_what_a_pooler_allows_is_not_taken_for_what_the_server_allows(
    empty_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "config.connection_budget")
    with pooled(empty_database) as url:
        greedy = Settings(database_url=url, pool_size=500)
        await require_connections(greedy)
    assert f"have to allow {connections_wanted(greedy)} sessions" in caplog.text


async def test_a_pooler_that_takes_no_more_clients_says_so(empty_database: str) -> None:
    with pooled(empty_database, max_client_conn=1) as url, pytest.raises(Problem, match="max_client_conn"):
        await open_database(url, pool_size=2, name="test")


def test_psycopg_gets_no_parameter_that_a_pooler_refuses() -> None:
    assert "options" not in libpq_parameters("postgresql://db/desk?options=-c%20work_mem%3D64MB")
