"""Workers as processes that share shards: killed, stopped, ended, their number changed, under a stream of batches."""

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial

import pytest

from services import ownership, quotes, system
from services.columnar.passes import Marker
from services.ownership import Ownership
from services.unit_of_work.openings import transaction
from tests.services.test_ownership import a_desk_of, judged
from tests.services.world import World, a_quote, books_hold, value
from tests.workers.processes import Worker, working
from workers.actors import TIME_LIMITS
from workers.works import SHARDS_AT_ONCE, Works

LEASE_SECONDS = 2
SPARE_SECONDS = 3  # of a busy machine


@asynccontextmanager
async def quoted(world: World, pause: float = 0.1) -> AsyncIterator[None]:
    """A batch every so often, a minute of the market's time apart."""

    async def quote_on() -> None:
        for n in range(10_000):
            world.at += timedelta(minutes=1)
            await quotes.ingest([a_quote("EURUSD", f"1.10{n % 7}", world.at)])
            await asyncio.sleep(pause)

    task = asyncio.create_task(quote_on())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def is_judged() -> bool:
    """Whether every shard has judged the newest batch."""
    newest: int = await value("select max(number) from batches")
    return all(state.through == newest for state in await ownership.shard_states())


async def each_batch_was_judged_once(accounts: int) -> None:
    batches = await value("select max(number) - 1 from batches")
    assert [tuple(one.values())[1:] for one in await judged()] == [(batches, batches)] * accounts


@pytest.mark.campaign
async def test_whatever_befalls_workers_each_batch_is_judged_once(database: str) -> None:
    world = await a_desk_of(database, 8, 4)
    async with working(database, PROPDESK_SHARD_LEASE_SECONDS=str(LEASE_SECONDS)) as workers:
        first, second = await workers.start(), await workers.start()
        await workers.until_shared(first_2=first, second_2=second)
        async with quoted(world):
            began = time.monotonic()
            await first.end(signal.SIGKILL)
            await workers.until_shared(_4=second)
            assert time.monotonic() - began < SPARE_SECONDS

            third = await workers.start()
            await workers.until_shared(second_2=second, third_2=third)
            second.send(signal.SIGSTOP)
            began = time.monotonic()
            await workers.until_shared(_4=third)
            assert time.monotonic() - began < LEASE_SECONDS + SPARE_SECONDS
            judging = await value("select max(number) from batches")
            await workers.until(lambda: _is_through(judging))
            second.send(signal.SIGCONT)
            await workers.until_shared(second_2=second, third_2=third)
            assert second.said("the session that held the locks has ended") == 1

            began = time.monotonic()
            assert await third.end(signal.SIGTERM) == 0
            await workers.until_shared(_4=second)
            assert time.monotonic() - began < SPARE_SECONDS + 10, "it finishes what it does"
            assert third.said("gave up shard") == 1 + 1, "to the second, and at its end"

            async with transaction() as work:  # wipe the broker
                await work.conn.execute("delete from dramatiq.queue")
            await ownership.set_shard_count(5)
            await workers.until_shared(_5=second)
            fourth = await workers.start(PROPDESK_MARKER_SHARDS="4")
            await workers.until_shared(second_3=second, fourth_2=fourth)
            assert fourth.said("PROPDESK_MARKER_SHARDS=4 only counts on a new one") == 1
        await workers.until(is_judged)
        for worker in (second, fourth):
            assert not worker.said("Traceback"), worker.output.read_text()
    await each_batch_was_judged_once(8)
    await books_hold()


async def _is_through(batch: int) -> bool:
    return (await system.read_state()).evaluated_through >= batch


@pytest.mark.campaign
async def test_four_workers_stopped_and_woken_in_turn_write_nothing_twice(database: str) -> None:
    world = await a_desk_of(database, 8, 4)
    async with working(database, PROPDESK_SHARD_LEASE_SECONDS="1") as workers:
        four = [await workers.start() for _ in range(4)]
        await workers.until_shared(**{f"{n}_1": worker for n, worker in enumerate(four)})
        async with quoted(world, pause=0.02):
            for worker in four:
                worker.send(signal.SIGSTOP)
                others = [one for one in four if one is not worker]
                await workers.until(partial(_own_all, others, 4))
                worker.send(signal.SIGCONT)
                await workers.until_shared(**{f"{n}_1": one for n, one in enumerate(four)})
        await workers.until(is_judged)
    await each_batch_was_judged_once(8)
    await books_hold()


async def _own_all(workers: list[Worker], shards: int) -> bool:
    return sum([len(await worker.shards()) for worker in workers]) == shards


@pytest.mark.campaign
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whatever_comes_in_whatever_order_each_batch_is_judged_once(database: str, seed: int) -> None:
    """Workers start, are killed, stopped, woken, ended, and the shards divided anew, before anything has settled."""
    chance = random.Random(seed)
    world = await a_desk_of(database, 8, 4)
    async with working(database, PROPDESK_SHARD_LEASE_SECONDS="1") as workers:
        running, stopped = [await workers.start() for _ in range(3)], list[Worker]()
        async with quoted(world, pause=0.05):
            for _ in range(15):
                match chance.choice(("start", "kill", "stop", "wake", "end", "divide")):
                    case "start" if len(running) + len(stopped) < 5:
                        running.append(await workers.start())
                    case "kill" if len(running) > 1:
                        await running.pop(0).end(signal.SIGKILL)
                    case "stop" if len(running) > 1:
                        stopped.append(running.pop(chance.randrange(len(running))))
                        stopped[-1].send(signal.SIGSTOP)
                    case "wake" if stopped:
                        running.append(stopped.pop())
                        running[-1].send(signal.SIGCONT)
                    case "end" if len(running) > 1:
                        running.pop(0).send(signal.SIGTERM)
                    case "divide":
                        await ownership.set_shard_count(chance.randint(1, 6))
                await asyncio.sleep(chance.uniform(0.1, 1.5))
        for worker in stopped:
            worker.send(signal.SIGCONT)
        await workers.until(is_judged)
        states = await ownership.shard_states()
    await each_batch_was_judged_once(8)
    assert [state.shard for state in states] == list(range(len(states)))
    await books_hold()


@pytest.mark.campaign
async def test_without_a_broker_everything_goes_on_half_a_second_later(database: str) -> None:
    world = await a_desk_of(database, 2, 2)
    nowhere = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1"
    async with working(database, BROKER_URL=nowhere) as workers:
        first, second = await workers.start(), await workers.start()
        await workers.until_shared(first_1=first, second_1=second)
        await quotes.ingest([a_quote("EURUSD", "1.05", world.at + timedelta(minutes=1))])
        await workers.until(_has_closed)
    await books_hold()


async def _has_closed() -> bool:
    """Both accounts broke a limit, and jobs have closed what they held."""
    return bool(await value("select count(*) = 2 from fills where verb = 'CLOSE'"))


async def test_who_gets_the_message_tells_the_owners(database: str) -> None:
    await ownership.set_shard_count(2)
    works = Works(TIME_LIMITS)
    works.owner, other = Ownership(database, "worker-0", 5), Ownership(database, "worker-1", 5)
    try:
        await works.owner.keep()
        await works.evaluate()
        assert works.owner.has_all, "and so it told nobody"
        for one in (other, works.owner, other):
            await one.keep()
        other.batches.clear()
        await works.evaluate()
        async with asyncio.timeout(10):
            await other.batches.wait()
    finally:
        await works.end()
        await other.end()


async def test_a_message_is_done_after_a_while_and_its_shards_go_on(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dramatiq would cancel a message that waits for many shards, one after the other."""
    works = Works(TIME_LIMITS)
    works.owner = Ownership(database, "worker-0", 5)
    free, drained = asyncio.Event(), list[int]()

    async def drain(self: Marker, _seconds: float) -> None:
        await free.wait()
        drained.append(self.shard)

    monkeypatch.setattr(Marker, "drain", drain)
    monkeypatch.setattr("workers.works.WORK_SECONDS", 0.05)
    await ownership.set_shard_count(SHARDS_AT_ONCE + 2)
    try:
        await works.owner.keep()
        await asyncio.wait_for(works.evaluate(), 5)
        assert not drained
        free.set()
        async with asyncio.timeout(5):
            while len(drained) < SHARDS_AT_ONCE + 2:
                await asyncio.sleep(0.01)
    finally:
        await works.end()
