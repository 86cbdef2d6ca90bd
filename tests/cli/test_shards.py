"""`propdesk shards` as a process."""

import asyncio

import pytest

from services import ownership
from services.ownership import Ownership
from tests.cli.commands import propdesk


async def test_they_are_shown_and_changed_and_what_cannot_be_is_refused(database: str) -> None:
    owner = Ownership(database, "worker-here-1", 5)
    try:
        await owner.keep()
        done = await asyncio.to_thread(propdesk, "shards", "3", DATABASE_URL=database)
        assert (done.returncode, done.stdout) == (0, "the desk has 3 shards; it had 1\n"), done.stderr
        await owner.keep()
        assert sorted(owner.markers) == [0, 1, 2]
        done = await asyncio.to_thread(propdesk, "shards", DATABASE_URL=database)
    finally:
        await owner.end()
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("worker-here-1") == 3
    assert [state.owner for state in await ownership.shard_states()] == [None] * 3


@pytest.mark.parametrize("count", ["0", "10000"])
def test_a_number_that_cannot_be_is_one_line(count: str) -> None:
    done = propdesk("shards", count)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"propdesk: {count} shards cannot be; give a number from 1 to 64"]
