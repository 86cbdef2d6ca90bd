"""Who owns a shard: shared evenly, handed over between batches, fenced: who is no owner any more writes nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest

from config import lease
from config.address import sibling
from config.database import connection
from config.settings import settings
from models.columnar import marks as stored
from services import ownership, quotes, system
from services.columnar import passes
from services.columnar.passes import Marker
from services.fencing import ShardLost
from services.ownership import Ownership
from tests.services.world import (
    World,
    a_quote,
    a_world,
    act,
    another_process,
    books_hold,
    elsewhere,
    rows,
    value,
    waits,
)

MILLION = "1000000"
LEASE_SECONDS = 1.0


@asynccontextmanager
async def owners(url: str, many: int, *, lease_seconds: float = 10) -> AsyncIterator[list[Ownership]]:
    """So many workers' ownerships, none of which owns anything yet."""
    made = [Ownership(url, f"worker-{n}", lease_seconds) for n in range(many)]
    try:
        yield made
    finally:
        for owner in made:
            await owner.end()


async def shared_out(*those: Ownership) -> list[int]:
    """Let them come to their shares; returns how many shards each owns."""
    for _ in range(3):
        for owner in those:
            await owner.keep()
    return [len(owner.markers) for owner in those]


async def drained(*those: Ownership) -> None:
    for owner in those:
        for marker in list(owner.markers.values()):
            await marker.drain()


async def ingest(world: World, mid: str, *, after: timedelta = timedelta(minutes=1)) -> None:
    world.at += after
    await quotes.ingest([a_quote("EURUSD", mid, world.at)])


async def until(holds: Callable[[], Awaitable[Any]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.02)


async def a_desk_of(database: str, accounts: int, shards: int) -> World:
    """A desk whose accounts all hold a position, in so many shards."""
    await ownership.set_shard_count(shards)
    world = await a_world(database, cash=10_000)
    async with owners(database, 1) as [first]:
        held = []
        for n in range(accounts):
            await first.keep()
            held.append((await world.buy(f"k{n}"))[1])
        for account in held:
            await act(account, "OPEN", action_id="a1", quantity="100000")
        await drained(first)
    return world


async def end_session(database: str, owner: str) -> None:
    """End the session that a worker's shards hang on, as a cut cable would."""
    async with connection(database) as conn:
        ended = await conn.fetchval(
            """with of as materialized (select pid from pg_stat_activity
              where application_name = $1 and datname = current_database())
            select count(pg_terminate_backend(pid, 5000)) from of""",
            f"propdesk-shards-{owner}",
        )
    assert ended == 1


async def judged() -> list[dict[str, Any]]:
    """By account how many metrics it has, and of how many batches: a metric is due at each batch of a minute."""
    return await rows("""
      select account_id, count(*) as metrics, count(distinct batch) as batches from metrics
      where batch > 1 group by account_id order by account_id""")


async def test_workers_share_the_shards_evenly_as_they_come_and_go(database: str) -> None:
    await ownership.set_shard_count(4)
    async with owners(database, 4) as [first, second, third, fourth]:
        assert await shared_out(first) == [4]
        assert first.has_all
        assert await shared_out(first, second) == [2, 2]
        assert not first.has_all
        kept = set(first.markers)
        assert sorted(await shared_out(first, second, third)) == [1, 1, 2]
        assert await shared_out(first, second, third, fourth) == [1, 1, 1, 1]
        assert set(first.markers) < kept, "it has taken none for another"
        owned = {state.shard: state.owner for state in await ownership.shard_states()}
        assert {owned[shard] for shard in first.markers} == {"worker-0"}
        assert set(owned.values()) == {f"worker-{n}" for n in range(4)}
        await second.end()
        await end_session(database, "worker-3")
        await until(lambda: _is_lost(fourth))
        assert await shared_out(first, third) == [2, 2]
        assert await shared_out(first, third, fourth) == [2, 1, 1]


async def _is_lost(owner: Ownership) -> bool:
    return not owner.markers


async def test_a_shard_that_moves_misses_no_batch_and_marks_none_twice(database: str) -> None:
    world = await a_desk_of(database, 6, 3)
    async with owners(database, 2) as [first, second]:
        await shared_out(first)
        for n in range(9):
            await ingest(world, f"1.10{n}")
            await drained(first, second)
            if n == 2:
                await shared_out(first, second)
            if n == 4:
                await end_session(database, "worker-0")
                await until(lambda: _is_lost(first))
                await shared_out(second)
            if n == 6:
                await shared_out(first, second)
    counts = await judged()
    assert [tuple(one.values())[1:] for one in counts] == [(9, 9)] * 6
    assert (await system.read_state()).evaluated_through == 10
    await books_hold()


async def test_what_is_handed_over_has_been_written(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy marker leaves marks unwritten for a while; the next owner begins with all of them."""
    rarely = settings().replace(mark_persist_seconds=3600)
    monkeypatch.setattr(passes, "settings", lambda: rarely)
    world = await a_desk_of(database, 2, 1)
    async with owners(database, 1) as [owner]:
        await shared_out(owner)
        await ingest(world, "1.101")
        await drained(owner)
        await ingest(world, "1.102", after=timedelta(seconds=1))

        async def is_behind() -> bool:
            return True

        monkeypatch.setattr(owner.markers[0], "_is_behind", is_behind)
        await drained(owner)
        assert await value("select count(*) from balances where marked_through = 3") == 0
    assert await value("select count(*) from balances where marked_through = 3") == 2
    assert [(s.owner, s.through) for s in await ownership.shard_states()] == [(None, 3)]


async def test_an_owner_that_has_been_replaced_writes_no_marks_no_verdicts_and_no_progress(database: str) -> None:
    world = await a_desk_of(database, 2, 1)
    async with owners(database, 2) as [first, second]:
        await shared_out(first)
        old = first.markers[0]
        await drained(first)
        await end_session(database, "worker-0")
        await until(lambda: _is_lost(first))
        assert await shared_out(second) == [1]
        old.ending = False  # as in a process that was stopped and knows nothing of it
        await ingest(world, "1.05")  # which both accounts break a limit by
        before = await rows("select * from balances order by account_id")
        states = await rows("select * from shards")
        with pytest.raises(ShardLost):
            await old.drain()
        assert await rows("select * from balances order by account_id") == before
        assert await rows("select * from shards") == states
        assert await value("select count(*) from breaches") == 0
        await drained(second)
        assert await value("select count(*) from breaches") == 2
    await books_hold()


@pytest.mark.parametrize("statement", ["stage_marks", "record_progress"])
async def test_the_fence_stands_in_the_very_transaction(
    database: str, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """The next owner takes over while the former one is about to write."""
    monkeypatch.setattr(ownership, "BLOCKED_SECONDS_MAX", 20)
    world = await a_desk_of(database, 2, 1)
    async with owners(database, 2, lease_seconds=30) as [first, second]:
        await shared_out(first)
        await drained(first)
        await ingest(world, "1.1005")
        original, taking = getattr(stored, statement), list[asyncio.Task[Any]]()

        async def replaced(*args: Any) -> Any:
            if not taking:
                await elsewhere(end_session(database, "worker-0"))
                taking.append(asyncio.create_task(second.keep()))
                await (taking[0] if statement == "record_progress" else elsewhere(waits(database)))
            return await original(*args)

        monkeypatch.setattr(stored, statement, replaced)
        old = first.markers[0]
        if statement == "record_progress":
            with pytest.raises(ShardLost):
                await old.drain()
        else:
            with suppress(ShardLost):  # marks whose transaction had begun the next owner waits for; what follows races
                await old.drain()
        await taking[0]
        await shared_out(second)
        await drained(second)
        assert await value("select count(*) from balances where live and marked_through < 2") == 0
    counts = await judged()
    assert [tuple(one.values())[1:] for one in counts] == [(1, 1)] * 2
    await books_hold()


async def test_an_owner_that_was_stopped_in_mid_transaction_holds_up_nobody(database: str) -> None:
    world = await a_desk_of(database, 2, 1)
    async with (
        owners(database, 2, lease_seconds=LEASE_SECONDS) as [first, second],
        connection(database) as stopped,
        connection(database) as other,
    ):
        await shared_out(first)
        fence = await value("select fence from shards")
        await stopped.execute("set application_name = 'propdesk-worker-0'")
        await stopped.execute("begin")
        await stopped.execute("select from shards where shard = 0 and fence = $1 for share", fence)
        await stopped.execute("update balances set marked_at = now() where account_id = 100001")
        await other.execute("set application_name = 'propdesk-worker-7'; begin")  # a job of one that owned no shard
        await other.execute("select from challenges where account_id = 100002 for no key update")
        await asyncio.sleep(LEASE_SECONDS)
        await end_session(database, "worker-0")
        began = time.monotonic()
        assert await shared_out(second) == [1]
        assert time.monotonic() - began < ownership.BLOCKED_SECONDS_MAX + 3
        assert stopped.is_closed()
        assert other.is_closed()
        await ingest(world, "1.05")
        await drained(second)
        assert await value("select count(*) from breaches") == 2


async def test_a_silent_session_is_ended_within_the_lease(database: str) -> None:
    """The process is stopped: its connection stands, and nothing comes."""
    await ownership.set_shard_count(2)
    async with owners(database, 2, lease_seconds=LEASE_SECONDS) as [first, second]:
        await shared_out(first)
        session = first._session  # noqa: SLF001
        assert session._signing is not None  # noqa: SLF001
        assert session._loop is not None  # noqa: SLF001
        session._loop.call_soon_threadsafe(session._signing.cancel)  # noqa: SLF001
        began = time.monotonic()

        async def has_both() -> bool:
            await second.keep()
            return len(second.markers) == 2

        await until(has_both)
        assert time.monotonic() - began < LEASE_SECONDS + 2, "the machine may be busy"
        assert not first.markers


async def test_a_process_whose_loop_hangs_loses_its_shards(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "HANGING_SECONDS_MAX", 0.3)
    async with owners(database, 1, lease_seconds=LEASE_SECONDS) as [owner]:
        await shared_out(owner)
        time.sleep(1.2)  # noqa: ASYNC251 - that is what hangs
        await until(lambda: _is_lost(owner))
        assert await shared_out(owner) == [1], "and has them again as soon as it goes on"


async def test_the_number_of_shards_changes_under_the_workers(database: str) -> None:
    world = await a_desk_of(database, 6, 2)
    async with owners(database, 2) as [first, second]:
        await shared_out(first, second)
        old = first.markers[0]
        for n, many in enumerate((2, 5, 5, 1, 3, 3)):
            await ingest(world, f"1.10{n}")
            await drained(first, second)
            through = (await system.read_state()).evaluated_through
            await ownership.set_shard_count(many)
            assert (await system.read_state()).evaluated_through == through, "it never goes back"
            await shared_out(first, second)
            assert len(first.markers) + len(second.markers) == many
        old.ending = False
        await ingest(world, "1.107")
        with pytest.raises(ShardLost):
            await old.drain()
        await drained(first, second)
    assert [tuple(one.values())[1:] for one in await judged()] == [(7, 7)] * 6
    await books_hold()


async def test_a_new_desk_has_as_many_shards_as_its_first_worker_wants_and_keeps_them(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    await ownership.divide_desk(None)
    await ownership.divide_desk(3)
    assert [state.shard for state in await ownership.shard_states()] == [0, 1, 2]
    async with owners(database, 1) as [owner]:
        assert await shared_out(owner) == [3]
        assert not caplog.records
        await ownership.divide_desk(4)
        assert await shared_out(owner) == [3]
    [line] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert line == (
        "the desk has 3 shards and keeps them, PROPDESK_MARKER_SHARDS=4 only counts on a new one; to change them: "
        "propdesk shards 4"
    )


async def test_progress_is_told_while_a_shard_catches_up(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = await a_world(database)
    await world.buy()
    for n in range(5):
        await ingest(world, f"1.10{n}")
    seen: list[int] = []
    passed = Marker._pass  # noqa: SLF001

    async def look(self: Marker, batch: Any) -> None:
        seen.append((await system.read_state()).evaluated_through)
        await passed(self, batch)

    monkeypatch.setattr(Marker, "_pass", look)
    monkeypatch.setattr(passes, "RECORD_SECONDS", 0)
    await passes.mark_shard(0)
    assert seen == [1, 2, 3, 4, 5]


async def test_a_session_and_a_pool_on_two_desks_are_refused(database: str, server: str) -> None:
    async with another_process(database) as conn:
        await conn.execute("update desk set created_at = created_at - interval '1 second'")
    owner = Ownership(sibling(server, "migrated_template"), "worker-0", LEASE_SECONDS)
    with pytest.raises(Exception, match="two different desks"):
        await owner.keep()
    await owner.end()
