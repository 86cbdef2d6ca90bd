"""The embedded PostgreSQL: shared, found again after a kill, and stopped by the last who leaves."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from config.embedded import EmbeddedServer
from config.errors import Problem


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short path that PostgreSQL's own user reaches, as pytest's is not."""
    path = Path(tempfile.mkdtemp(prefix="propdesk-embedded-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def postgres(directory: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(directory, throwaway=True)
    server.start()
    yield server
    server.stop()


def process_number(server: EmbeddedServer) -> int:
    return int((server.pgdata / "postmaster.pid").read_text().split()[0])


def answers(server: EmbeddedServer) -> bool:
    with psycopg.connect(host=str(server.pgdata), user="postgres", dbname="propdesk") as conn:
        return conn.execute("SELECT 1").fetchone() == (1,)


def test_a_second_user_joins_the_server_and_the_last_to_leave_stops_it(postgres: EmbeddedServer) -> None:
    second = EmbeddedServer(postgres.data_dir, throwaway=True)
    second.start()
    assert not second.stop()
    assert answers(postgres)


def test_a_killed_server_is_started_again(postgres: EmbeddedServer) -> None:
    os.kill(process_number(postgres), signal.SIGKILL)
    postgres.mend()
    assert answers(postgres)


def test_a_pid_file_whose_number_is_somebody_elses_does_not_prevent_a_start(postgres: EmbeddedServer) -> None:
    written = (postgres.pgdata / "postmaster.pid").read_text()
    assert postgres.stop()
    (postgres.pgdata / "postmaster.pid").write_text(written.replace(written.split()[0], str(os.getpid()), 1))
    postgres.start()
    assert answers(postgres)


def test_half_a_cluster_is_thrown_away(directory: Path) -> None:
    (directory / "postgres.new").mkdir()
    (directory / "postgres.new" / "PG_VERSION").write_text("18\n")
    server = EmbeddedServer(directory, throwaway=True)
    server.start()
    assert answers(server)
    assert server.stop()


def test_a_cluster_of_another_version_is_refused_with_the_servers_own_words(postgres: EmbeddedServer) -> None:
    assert postgres.stop()
    version = postgres.pgdata / "PG_VERSION"
    written = version.read_text()
    version.write_text("9.6\n")
    with pytest.raises(Problem, match="incompatible"):
        postgres.start()
    version.write_text(written)
    postgres.start()


def test_a_path_too_long_for_a_socket_is_refused(directory: Path) -> None:
    with pytest.raises(Problem, match="PROPDESK_DATA_DIR"):
        EmbeddedServer(directory / ("x" * 100)).start()
