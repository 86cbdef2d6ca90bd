"""What happens without anybody asking: heartbeats, housekeeping once, time that passes without quotes."""

import asyncio
from datetime import timedelta

import pytest

from config import wakeups
from services import events, marks, periodic, system
from services.unit import plain
from tests.services.world import a_world, another_process, books_hold, rows, value


async def test_each_process_beats_and_who_is_long_silent_is_forgotten(database: str) -> None:
    async with plain() as work:
        await work.conn.execute(
            "insert into heartbeats values ('worker-0', 'worker', now(), now() - interval '2 hours')"
        )
    await periodic.tick("api")
    first = await value("select beat_at from heartbeats where kind = 'api'")
    await periodic.tick("api")
    await periodic.tick("worker")
    assert [row["kind"] for row in (await system.read()).heartbeats] == ["api", "worker"]
    assert await value("select beat_at from heartbeats where kind = 'api'") > first


async def test_of_many_processes_one_does_the_days_housekeeping(database: str) -> None:
    async with another_process(database) as other:
        gone = await other.fetchval("select max(tablename) from pg_tables where tablename like 'metrics_%'")
        await other.execute(f"drop table {gone}")
    made = "select count(*) from periodic_slots where name = 'housekeeping'"
    await asyncio.gather(*(periodic.tick("worker") for _ in range(8)))
    assert await value(made) == 1
    assert await value("select to_regclass($1) is not null", gone), "a year of partitions ahead"
    async with another_process(database) as other:
        await other.execute(f"drop table {gone}")
    await periodic.tick("worker")
    assert await value("select to_regclass($1) is null", gone), "once a day is enough"


async def test_events_are_forgotten_when_they_are_older_than_they_are_kept(database: str) -> None:
    await a_world(database)
    async with plain() as work:
        for place in range(3):
            work.emit("told", brand="acme", challenge_id=1, payload={"place": place})
    await events.stamp()
    async with another_process(database) as other:
        await other.execute("update events set recorded_at = now() - interval '401 days' where position <= 2")
    await periodic.tick("worker")
    assert await rows("select position from events") == [{"position": 3}]
    assert await rows("select position, forgotten from event_position") == [{"position": 3, "forgotten": 2}]


async def test_a_worker_makes_the_rows_of_its_shards_and_keeps_how_far_they_are(database: str) -> None:
    await a_world(database)
    async with plain() as work:
        await work.conn.execute("insert into shards (shard) values (7)")
    for _ in range(2):
        await periodic.begin()
    assert await rows("select shard, through from shards") == [{"shard": 0, "through": 1}]


async def test_days_end_without_quotes(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = await a_world(database, replay=False)
    await world.buy()
    await periodic.tick("worker")
    assert await value("select count(*) from batches") == 1, "the newest is young"

    monkeypatch.setattr(periodic, "TICK_AFTER", timedelta(0))
    async with another_process(database) as other:  # the day's end was a moment ago
        await other.execute("update balances set day_ends_at = clock_timestamp() - interval '1 millisecond'")
    await periodic.tick("worker")
    await marks.Marker(0).drain()  # the boundary was moved behind the other one's back
    assert await rows("select number, quotes from batches order by number") == [
        {"number": 1, "quotes": 1},
        {"number": 2, "quotes": 0},
    ]
    assert await value("select day from balances") == 2
    assert await rows("select number, closed from days order by number") == [
        {"number": 1, "closed": True},
        {"number": 2, "closed": False},
    ]
    assert (await system.read()).evaluated_through == 2


async def test_a_replays_clock_stands_still(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(periodic, "TICK_AFTER", timedelta(0))
    await a_world(database)
    await periodic.tick("worker")
    assert await value("select count(*) from batches") == 1
    await books_hold()


async def test_once_an_hour_one_process_asks_for_the_accounts_that_were_left_behind(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(wakeups, "request", lambda *what: asked.append(what))
    await asyncio.gather(*(periodic.tick("worker") for _ in range(3)))
    assert asked.count(("mark_to_market",)) == 1
