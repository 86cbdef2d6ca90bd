"""What happens without anybody asking: heartbeats, housekeeping once, time that passes without quotes."""

import asyncio
from datetime import timedelta

import pytest

from config import wakeups
from services import events, periodic, purchases, quotes, system
from services.columnar import passes
from services.unit_of_work.openings import transaction
from tests.services.world import CLIENT, a_quote, a_world, another_process, books_hold, rows, value


async def test_each_process_beats_and_who_is_long_silent_is_forgotten(database: str) -> None:
    async with transaction() as work:
        await work.conn.execute(
            "insert into heartbeats values ('worker-0', 'worker', now(), now() - interval '2 hours')"
        )
    await periodic.run_round("api")
    first = await value("select beat_at from heartbeats where kind = 'api'")
    await periodic.run_round("api")
    await periodic.run_round("worker")
    assert [row["kind"] for row in (await system.read_state()).heartbeats] == ["api", "worker"]
    assert await value("select beat_at from heartbeats where kind = 'api'") > first


async def test_of_many_processes_one_does_the_days_housekeeping(database: str) -> None:
    async with another_process(database) as other:
        gone = await other.fetchval("select max(tablename) from pg_tables where tablename like 'metrics_%'")
        await other.execute(f"drop table {gone}")
    made = "select count(*) from periodic_slots where name = 'housekeeping'"
    await asyncio.gather(*(periodic.run_round("worker") for _ in range(8)))
    assert await value(made) == 1
    assert await value("select to_regclass($1) is not null", gone), "a year of partitions ahead"
    async with another_process(database) as other:
        await other.execute(f"drop table {gone}")
    await periodic.run_round("worker")
    assert await value("select to_regclass($1) is null", gone), "once a day is enough"


async def test_events_are_forgotten_when_they_are_older_than_they_are_kept(database: str) -> None:
    await a_world(database)
    async with transaction() as work:
        for place in range(3):
            work.emit("told", brand="acme", challenge_id=1, payload={"place": place})
    await events.stamp()
    async with another_process(database) as other:
        await other.execute("update events set recorded_at = now() - interval '401 days' where position <= 2")
    await periodic.run_round("worker")
    assert await rows("select position from events") == [{"position": 3}]
    assert await rows("select position, forgotten from event_position") == [{"position": 3, "forgotten": 2}]


async def test_days_end_without_quotes(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = await a_world(database, replay=False)
    await world.buy()
    await periodic.run_round("worker")
    assert await value("select count(*) from batches") == 1, "the newest is young"

    monkeypatch.setattr(periodic, "TICK_AFTER", timedelta(0))
    async with another_process(database) as other:  # the day's end was a moment ago
        await other.execute("update balances set day_ends_at = clock_timestamp() - interval '1 millisecond'")
    await periodic.run_round("worker")
    await passes.Marker(0).drain()  # the boundary was moved behind the other one's back
    assert await rows("select number, quotes from batches order by number") == [
        {"number": 1, "quotes": 1},
        {"number": 2, "quotes": 0},
    ]
    assert await value("select day from balances") == 2
    assert await rows("select number, closed from days order by number") == [
        {"number": 1, "closed": True},
        {"number": 2, "closed": False},
    ]
    assert (await system.read_state()).evaluated_through == 2


async def test_a_replays_clock_stands_still(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(periodic, "TICK_AFTER", timedelta(0))
    await a_world(database)
    await periodic.run_round("worker")
    assert await value("select count(*) from batches") == 1
    await books_hold()


async def test_a_tick_says_what_waits_for_the_process_and_sends_nothing(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []
    world = await a_world(database)
    first = await periodic.run_round("worker")
    assert (first.jobs, first.shards) == (False, [])
    await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    await quotes.ingest([a_quote("EURUSD", "1.2", world.at + timedelta(minutes=1))])
    monkeypatch.setattr(wakeups, "request", lambda *what: asked.append(what))
    waiting = await periodic.run_round("worker")
    assert (waiting.jobs, waiting.shards) == (True, []), "the shard is nobody's"
    async with another_process(database) as other:
        await other.execute("update shards set owner = $1", periodic.process_name("worker"))
    assert (await periodic.run_round("worker")).shards == [0]
    assert (await periodic.run_round("marker")).shards == [], "another's"
    assert not asked


async def test_once_an_hour_one_process_looks_for_the_accounts_that_were_left_behind(database: str) -> None:
    ticks = await asyncio.gather(*(periodic.run_round("worker") for _ in range(3)))
    assert [tick.overdue for tick in ticks].count(True) == 1
    assert not (await periodic.run_round("worker")).overdue


async def test_a_process_says_once_that_a_newer_version_has_migrated_the_database_under_it(
    database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(periodic, "VERSION_SECONDS", 0)
    await periodic.run_round("worker")
    assert not caplog.records
    async with another_process(database) as other:
        await other.execute(
            "insert into aerich (version, app, content) select '9_newer.py', app, content from aerich limit 1"
        )
    for _ in range(3):
        await periodic.run_round("worker")
    assert [record.getMessage() for record in caplog.records] == [
        "a newer version has migrated the database (9_newer.py); restart this process as that version"
    ]
