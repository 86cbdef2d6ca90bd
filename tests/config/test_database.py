"""The pool and the migrations, on a real PostgreSQL."""

import os
import subprocess
import sys

import asyncpg
import pytest

from config.address import parse
from config.connection_budget import connections_wanted, require_connections
from config.database import (
    close_database,
    connection,
    create_database,
    drop_database,
    migrate,
    open_database,
    pool,
    require_current_schema,
    schema_is_current,
)
from config.errors import Problem
from config.settings import Settings


async def test_every_connection_has_the_lesser_role_and_utc_however_often_it_is_borrowed(database: str) -> None:
    for _ in range(3):
        row = await pool().fetchrow("SELECT current_user AS who, current_setting('TimeZone') AS zone")
        assert (row["who"], row["zone"]) == ("propdesk_app", "UTC")


async def test_a_transaction_left_open_ends_when_its_connection_is_given_back(database: str) -> None:
    async with pool().acquire() as borrowed:
        await borrowed.execute("BEGIN")
        await borrowed.execute("SELECT pg_advisory_xact_lock(1)")
    async with connection(database) as other:
        assert await other.fetchval("SELECT pg_try_advisory_lock(1)")


async def test_the_pool_outlives_the_loss_of_its_connections(database: str) -> None:
    async with connection(database) as owner:
        await owner.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert await pool().fetchval("SELECT 1") == 1


async def test_a_migrated_schema_is_current_and_migrating_again_does_nothing(empty_database: str) -> None:
    assert await schema_is_current(empty_database)
    assert await migrate(empty_database) == []


async def test_two_programs_that_migrate_at_once_apply_each_migration_once(server: str) -> None:
    url = await create_database(server, "migrated_twice")
    command = [sys.executable, "-P", "-m", "cli.main", "migrate"]
    both = [
        subprocess.Popen(command, env=os.environ | {"DATABASE_URL": url}, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
        for _ in range(2)
    ]
    said = sorted(process.communicate()[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert said[0].startswith("applied 0_")
    assert said[1] == "the schema is up to date\n"
    assert await schema_is_current(url)
    await drop_database(server, "migrated_twice")


async def test_an_empty_database_is_refused_with_the_command_that_mends_it(server: str) -> None:
    url = await create_database(server, "without_schema")
    with pytest.raises(Problem, match="run: propdesk migrate"):
        await require_current_schema(url)
    await drop_database(server, "without_schema")


async def test_a_migration_this_program_does_not_know_is_refused(empty_database: str) -> None:
    async with connection(empty_database) as owner:
        await owner.execute("INSERT INTO aerich (version, app, content) VALUES ('9_later.py', 'models', '{}')")
    assert not await schema_is_current(empty_database)
    for refusing in (require_current_schema, migrate):
        with pytest.raises(Problem, match="newer than this program"):
            await refusing(empty_database)


@pytest.mark.parametrize(
    "url", ["postgresql://me:secret@127.0.0.1:1/desk", "postgresql://me:secret@nowhere.invalid/desk"]
)
async def test_a_database_that_cannot_be_reached_is_one_line_without_the_password(url: str) -> None:
    with pytest.raises(Problem, match="DATABASE_URL") as refused:
        await open_database(url, pool_size=2, name="test")
    assert "secret" not in str(refused.value)


async def test_more_connections_than_the_server_allows_are_refused(empty_database: str) -> None:
    modest = Settings(database_url=empty_database)
    await require_connections(modest)
    greedy = modest.replace(pool_size=500)
    assert connections_wanted(greedy) > 1000
    with pytest.raises(Problem, match="PROPDESK_POOL_SIZE"):
        await require_connections(greedy)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("alter database {name} connection limit 7", "the database of .* allows 7; .* ALTER DATABASE"),
        ("alter role few connection limit 6", 'the login of .* allows 6; .* ALTER ROLE "few"'),
    ],
)
async def test_a_limit_of_the_database_or_of_the_login_is_named(empty_database: str, limit: str, words: str) -> None:
    name = parse(empty_database).database
    async with connection(empty_database) as owner:
        await owner.execute("create role few login in role propdesk_app")
        try:
            await owner.execute(limit.format(name=name))
            with pytest.raises(Problem, match=words):
                await require_connections(Settings(database_url=empty_database.replace("postgres@", "few@")))
        finally:
            await owner.execute("drop role few")


async def test_the_server_ends_a_statement_and_a_wait_for_a_lock_that_take_too_long(empty_database: str) -> None:
    await open_database(empty_database, pool_size=2, name="test", statement_seconds=0.2, lock_seconds=0.05)
    try:
        async with pool().acquire() as one, pool().acquire() as other:
            with pytest.raises(asyncpg.QueryCanceledError):
                await one.execute("select pg_sleep(30)")
            await one.execute("select pg_advisory_lock(1)")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await other.execute("select pg_advisory_lock(1)")
    finally:
        await close_database()
