"""`propdesk work --processes`: several workers of one parent, killed, ended, and bereft of it."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import psycopg
import pytest

from tests.cli.commands import COMMAND, propdesk

PATIENCE_SECONDS = 60
MANY = 3
BEATS = "select count(*) from heartbeats where kind = 'worker' and beat_at > clock_timestamp() - interval '2 s'"


@contextmanager
def _workers(database: str, **settings: str) -> Iterator[psutil.Process]:
    """The parent of so many workers that all give signs of life."""
    environment = os.environ | settings | {"DATABASE_URL": database, "PROPDESK_POOL_SIZE": "3"}
    line = [*COMMAND, "work", "--processes", str(MANY)]
    with subprocess.Popen(line, env=environment, stdin=subprocess.DEVNULL, start_new_session=True) as parent:
        try:
            _until(lambda: _beating(database) == MANY)
            yield psutil.Process(parent.pid)
        finally:
            if parent.poll() is None:
                parent.kill()  # its children end with it


def _beating(database: str) -> int:
    with psycopg.connect(database) as conn:
        row = conn.execute(BEATS).fetchone()
        assert row
        return int(row[0])


def _until(holds: object) -> None:
    assert callable(holds)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_one_that_is_killed_is_started_again_and_all_end_with_the_parent_in_order(empty_database: str) -> None:
    with _workers(empty_database) as parent:
        before = {child.pid for child in parent.children()}
        assert len(before) == MANY
        killed = parent.children()[0]
        killed.send_signal(signal.SIGKILL)
        _until(lambda: len(now := {child.pid for child in parent.children()}) == MANY and killed.pid not in now)
        children = parent.children()
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(PATIENCE_SECONDS) == 0
        assert not [child for child in children if child.is_running()]


@pytest.mark.campaign
def test_they_share_memory_and_none_outlives_a_parent_that_is_killed(empty_database: str) -> None:
    with _workers(empty_database) as parent:
        children = parent.children()
        alone = [child.memory_full_info() for child in children]
        assert all(each.pss < 0.8 * each.rss for each in alone), "what is loaded is in memory once"
        parent.kill()
        _until(lambda: not [child for child in children if child.is_running()])


def test_where_none_can_begin_the_parent_fails_with_the_reason() -> None:
    done = propdesk("work", "--processes", "2", DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    assert done.returncode == 1
    assert "cannot connect to DATABASE_URL" in done.stderr
