"""What a database has to be, and the statements that a DBA runs where its owner lacks a right."""

import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from config.address import sibling
from config.database import (
    close_database,
    connection,
    create_database,
    drop_database,
    migrate,
    open_database,
    pool,
    require_current_schema,
)
from config.errors import Problem
from tests.conftest import a_postgres, room

STATEMENT = re.compile(r"((?:CREATE|GRANT|REASSIGN) [^;]*;)")

Owned = Callable[..., Awaitable[str]]


@pytest.fixture(scope="module")
def bare_server() -> Iterator[str]:
    """The address of a PostgreSQL without a desk so far, as roles are the server's and not a database's."""
    directory = Path(tempfile.mkdtemp(prefix="propdesk-bare-", dir=room()))
    directory.chmod(0o755)
    postgres = a_postgres(directory)
    yield postgres.start()
    postgres.stop()
    shutil.rmtree(directory)


@pytest.fixture
async def owned(bare_server: str) -> AsyncIterator[Owned]:
    """`await owned("createrole")`: the address of an empty database for a new login with these options, its owner."""
    roles = "propdesk_app", "propdesk_owner"
    await _as_dba(bare_server, "drop role propdesk_app")

    async def make(options: str = "", *, owns: bool = True) -> str:
        await _as_dba(bare_server, f"create role propdesk_owner login {options}")
        url = await create_database(bare_server, "owned")
        if owns:
            await _as_dba(bare_server, "alter database owned owner to propdesk_owner")
        return url.replace("postgres@", "propdesk_owner@")

    yield make
    await close_database()
    await drop_database(bare_server, "owned")
    for role in roles:
        await _as_dba(bare_server, f"drop role if exists {role}")
    await _as_dba(bare_server, "create role propdesk_app login")


async def _as_dba(url: str, *statements: str) -> None:
    async with connection(url.replace("propdesk_owner@", "postgres@")) as dba:
        for statement in statements:
            await dba.execute(statement)


async def _refusal(url: str) -> str:
    with pytest.raises(Problem) as refused:
        await migrate(url)
    assert "\n" not in str(refused.value)
    return str(refused.value)


async def _works(url: str) -> None:
    """The schema is there, and who logs in with the same address gets the lesser role."""
    await require_current_schema(url)
    await open_database(url, pool_size=2, name="test")
    assert await pool().fetchval("select current_user") == "propdesk_app"


async def test_an_owner_who_may_not_create_roles_gets_the_two_statements_and_migrates_once_they_are_run(
    owned: Owned,
) -> None:
    url = await owned()
    statements = STATEMENT.findall(await _refusal(url))
    assert statements == ["CREATE ROLE propdesk_app;", 'GRANT propdesk_app TO "propdesk_owner";']
    await _as_dba(url, *statements)
    await migrate(url)
    await _works(url)


async def test_an_owner_who_may_create_roles_needs_nobody(owned: Owned) -> None:
    url = await owned("createrole")
    await migrate(url)
    await _works(url)


async def test_an_owner_who_may_not_hand_on_a_role_that_is_there_gets_the_one_statement(owned: Owned) -> None:
    url = await owned()
    await _as_dba(url, "create role propdesk_app")
    statements = STATEMENT.findall(await _refusal(url))
    assert statements == ['GRANT propdesk_app TO "propdesk_owner";']
    await _as_dba(url, *statements)
    await migrate(url)
    await _works(url)


async def test_an_owner_who_may_create_roles_and_has_no_right_to_this_one_is_told_so_where_that_matters(
    owned: Owned,
) -> None:
    url = await owned("createrole")
    await _as_dba(url, "create role propdesk_app")
    async with connection(url) as conn:
        decides = conn.get_server_version().major >= 16  # before, CREATEROLE was enough
    if decides:
        await _as_dba(url, *STATEMENT.findall(await _refusal(url)))
    await migrate(url)
    await _works(url)


async def test_where_the_services_log_in_as_the_role_itself_the_owner_needs_no_part_of_it(owned: Owned) -> None:
    url = await owned()
    with pytest.raises(Problem, match="CREATE ROLE propdesk_app LOGIN PASSWORD") as refused:
        await migrate(url, login="propdesk_app")
    assert "GRANT" not in str(refused.value)
    await _as_dba(url, "create role propdesk_app login")
    await migrate(url, login="propdesk_app")
    await _works(url.replace("propdesk_owner@", "propdesk_app@"))


async def test_a_login_that_may_not_take_the_role_is_refused_with_the_statement(owned: Owned) -> None:
    url = await owned()
    await _as_dba(url, "create role propdesk_app login")
    await migrate(url, login="propdesk_app")
    with pytest.raises(Problem, match='GRANT propdesk_app TO "propdesk_owner";'):
        await open_database(url, pool_size=2, name="test")


async def test_in_a_database_of_another_owner_the_missing_rights_are_named(owned: Owned) -> None:
    url = await owned("createrole", owns=False)
    statements = STATEMENT.findall(await _refusal(url))
    assert [words[:12] for words in statements] == ["GRANT CREATE", "GRANT CREATE"]
    await _as_dba(url, *statements)
    await migrate(url)
    await _works(url)


async def test_a_login_that_may_not_connect_is_one_line(owned: Owned) -> None:
    url = await owned("createrole")
    await migrate(url)
    await _as_dba(url, "revoke connect on database owned from public, propdesk_owner")
    for attempt in (migrate, require_current_schema, partial(open_database, pool_size=2, name="test")):
        with pytest.raises(Problem, match="GRANT CONNECT") as refused:
            await attempt(url)
        assert "\n" not in str(refused.value)


async def test_tables_that_another_owns_are_not_migrated(owned: Owned) -> None:
    url = await owned("createrole")
    await migrate(url)
    await _as_dba(url, "delete from aerich where version like '1_%'", "alter table accounts owner to postgres")
    assert "the table accounts belongs to postgres" in await _refusal(url)


async def test_a_database_of_something_else_is_neither_migrated_nor_worked_in(server: str) -> None:
    url = await create_database(server, "of_something_else")
    try:
        async with connection(url) as owner:
            await owner.execute("create table users (id int); create table orders (id int)")
        for refusing in (migrate, require_current_schema):
            with pytest.raises(Problem, match=r"something else: it has orders, users") as refused:
                await refusing(url)
            assert "\n" not in str(refused.value)
        async with connection(url) as owner:
            await owner.execute("create table aerich (version text, app text)")
            await owner.execute("insert into aerich values ('0_20200101_init.py', 'models')")
        with pytest.raises(Problem, match="something else"):
            await migrate(url)
    finally:
        await drop_database(server, "of_something_else")


async def test_a_database_that_does_not_exist_is_named_with_the_statement_that_makes_it(server: str) -> None:
    url = sibling(server, "nowhere")
    for attempt in (migrate, require_current_schema, partial(open_database, pool_size=2, name="test")):
        with pytest.raises(Problem, match='CREATE DATABASE "nowhere"') as refused:
            await attempt(url)
        assert "\n" not in str(refused.value)
