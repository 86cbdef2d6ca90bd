"""A desk under load whose broker is killed, wiped, frozen and away for good: nothing lost and nothing done twice."""

import asyncio
import time
from pathlib import Path

import psycopg
import pytest

from tests.cli.commands import a_free_port
from tests.cluster.comparison import compare, newest_event
from tests.cluster.desk import Desk, propdesk, running
from tests.cluster.journal import Journal, Outcome
from tests.cluster.load import Load, Settings, working
from tests.workers.brokers import Kind, all_kinds

pytestmark = pytest.mark.campaign

WITHOUT_SECONDS_MAX = 1.5  # a wake-up that never comes costs half a second; the rest is for a busy machine


async def _troubles(kind: Kind) -> None:
    """All that befalls a broker, and at last it stays away."""
    for trouble, seconds in (
        (kind.kill, 2.0),
        (kind.start, 3.0),
        (kind.wipe, 3.0),
        (kind.freeze, 6.0),
        (kind.thaw, 3.0),
        (kind.kill, 4.0),
    ):
        await asyncio.to_thread(trouble)
        await asyncio.sleep(seconds)


@pytest.mark.parametrize("name", ["postgresql", "redis", "rabbitmq"])
async def test_whatever_befalls_the_broker_nothing_is_lost_and_nothing_done_twice(
    name: str, empty_database: str, tmp_path: Path
) -> None:
    with all_kinds(tmp_path) as broker_of:
        kind = await asyncio.to_thread(broker_of, name)
        desk = Desk(tmp_path, empty_database, apis=2, workers=2, environment={"BROKER_URL": kind.url})
        with Journal(tmp_path / "journal") as journal:
            load_settings = Settings(subscribers=2, verbs_second=15)
            async with running(desk), working(desk, journal, load_settings) as load:
                await load.one_of_each()
                work = asyncio.create_task(load.run())
                await asyncio.sleep(2)
                await _troubles(kind)
                load.stop()
                await work
                await load.settled()
                await load.all_events_came(newest_event(empty_database))
            assert journal.summary()[Outcome.UNKNOWN] == 0
            assert compare(empty_database, journal) == []
    assert not desk.log_lines("Traceback")
    assert not [member for member in desk.members if member.starts != 1]
    status, said = await propdesk("verify", env={"DATABASE_URL": empty_database})
    assert status == 0, said


async def test_a_desk_whose_broker_was_never_there_does_jobs_and_judges_within_a_second(
    empty_database: str, tmp_path: Path
) -> None:
    nowhere = f"redis://127.0.0.1:{a_free_port()}"
    desk = Desk(tmp_path, empty_database, apis=1, workers=1, environment={"BROKER_URL": nowhere})
    with Journal(tmp_path / "journal") as journal:
        async with running(desk), working(desk, journal, Settings(subscribers=0)) as load:
            await load.one_of_each()
            await load.settled()
            waits = [await _judged(load, empty_database) for _ in range(5)]
    assert sorted(waits)[2] < WITHOUT_SECONDS_MAX, waits
    assert len(desk.log_lines("cannot be used")) == 2, "one line for each process"


async def _judged(load: Load, url: str) -> float:
    """Hand in quotes; return the seconds until they were judged."""
    await load.quote()
    began = time.monotonic()
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(_all_judged, url):
            await asyncio.sleep(0.02)
    return time.monotonic() - began


def _all_judged(url: str) -> bool:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select (select min(through) from shards) >= (select max(number) from batches)"
        ).fetchone()
        return bool(row and row[0])
