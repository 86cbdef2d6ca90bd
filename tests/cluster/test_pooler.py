"""A whole desk through a pooler: under load, and when the pooler is killed and started again."""

import asyncio
from pathlib import Path

import pytest

from tests.cluster.comparison import compare, newest_event
from tests.cluster.desk import Desk, running
from tests.cluster.journal import Journal
from tests.cluster.load import Settings, working
from tests.cluster.pooler import pooler

pytestmark = pytest.mark.campaign

WORK_SECONDS = 4


@pytest.mark.parametrize("direct", [False, True])
async def test_a_desk_works_through_a_pooler_of_sessions_and_outlives_its_restart(
    empty_database: str, tmp_path: Path, direct: bool
) -> None:
    with pooler(empty_database) as between, Journal(tmp_path / "journal") as journal:
        environment = {"DATABASE_DIRECT_URL": empty_database if direct else ""}
        desk = Desk(tmp_path, between.url, apis=1, workers=1, environment=environment)
        async with running(desk), working(desk, journal, Settings(subscribers=2)) as load:
            await load.one_of_each()
            work = asyncio.create_task(load.run())
            await asyncio.sleep(WORK_SECONDS)
            between.kill()
            between.start()
            await asyncio.sleep(WORK_SECONDS)
            load.stop()
            await work
            await load.settled()
            await load.all_events_came(newest_event(empty_database))
    assert compare(empty_database, journal) == []
