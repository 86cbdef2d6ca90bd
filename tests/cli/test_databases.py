"""A command says on which database it works, never with which password, and not before it is the desk's."""

import asyncio
import logging
from pathlib import Path

import pytest

from cli import databases, processes
from config.address import parse
from config.database import create_database, drop_database
from config.embedded import EmbeddedServer
from config.settings import Settings
from tests.cli.commands import a_free_port, propdesk
from tests.conftest import TEMPLATE


def test_the_embedded_database_is_named_by_its_folder_and_another_by_its_servers(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    embedded = EmbeddedServer(tmp_path)
    assert databases.shown(settings, embedded.application_address) == (
        f"propdesk of the embedded PostgreSQL in {tmp_path}, as propdesk_app"
    )
    assert databases.shown(settings, embedded.address).endswith("as postgres")
    url = "postgresql://me:s3cret@a:5432,[::1]:5433/desk?sslmode=require&sslpassword=s3cret"
    assert databases.shown(settings, url) == "a:5432,[::1]:5433/desk as me"


async def test_a_process_says_it_in_its_log(empty_database: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cli.processes")
    await processes.require_ready(Settings(database_url=empty_database))
    assert f"database: {parse(empty_database)} as postgres" in caplog.messages


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (("migrate",), "the schema is up to date\n"),
        (("token", "--role", "ADMIN"), None),
        (("instruments", "load", "--dry-run"), None),
    ],
)
async def test_a_command_says_it_on_stderr_alone(
    empty_database: str, words: tuple[str, ...], output: str | None
) -> None:
    done = await asyncio.to_thread(propdesk, *words, DATABASE_URL=empty_database)
    assert (done.returncode, done.stderr) == (0, f"database: {parse(empty_database)} as postgres\n")
    assert "database:" not in done.stdout
    assert output in (None, done.stdout)


@pytest.mark.parametrize("variable", ["DATABASE_DIRECT_URL", "OWNER_DATABASE_URL"])
async def test_addresses_of_two_databases_are_refused(empty_database: str, server: str, variable: str) -> None:
    other = await create_database(server, f"another_{variable.lower()}", template=TEMPLATE)
    command = "serve" if variable == "DATABASE_DIRECT_URL" else "migrate"
    port = {"PROPDESK_PORT": str(a_free_port())}
    try:
        done = await asyncio.to_thread(propdesk, command, DATABASE_URL=empty_database, **{variable: other}, **port)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert f"{variable} and DATABASE_URL lead to two different desks, {parse(other)} and " in line
    finally:
        await drop_database(server, f"another_{variable.lower()}")
    same = Settings(database_url=empty_database, database_direct_url=f"{empty_database}&application_name=direct")
    await processes.require_ready(same)


async def test_one_with_a_password_keeps_it(empty_database: str) -> None:
    url = empty_database.replace("postgres@", "postgres:s3cret@")
    done = await asyncio.to_thread(propdesk, "token", "--role", "ADMIN", DATABASE_URL=url, PROPDESK_LOG_LEVEL="DEBUG")
    assert done.returncode == 0
    assert "s3cret" not in done.stderr + done.stdout
