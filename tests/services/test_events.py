"""Events get dense positions in the order of the commits, whoever stamps them."""

import asyncio
import random

import pytest

from config.database import connection
from models.events import CHANNEL
from services import events, purchases
from services.unit_of_work.openings import root_transaction
from services.unit_of_work.roots import LockRoot
from tests.services.world import CLIENT, a_world, elsewhere, rows, value


async def _tell(challenge: int, n: int, many: int = 1) -> None:
    async with root_transaction(LockRoot.of_challenge(challenge)) as work:
        for place in range(many):
            work.emit("told", brand="acme", challenge_id=challenge, payload={"n": n, "place": place})


async def _challenges(url: str, many: int) -> list[int]:
    world = await a_world(url, price=0)
    sold = [await purchases.buy(CLIENT, world.program, world.wallet, f"k{n}") for n in range(many)]
    return [challenge for _, challenge in sold]


async def test_many_writers_and_two_stampers_leave_no_gap_and_no_disorder(database: str) -> None:
    challenges, chance = await _challenges(database, 5), random.Random(7)
    told: dict[int, list[tuple[int, int]]] = {challenge: [] for challenge in challenges}

    async def write(challenge: int) -> None:
        for n in range(20):
            many = chance.randint(1, 3)
            await _tell(challenge, n, many)
            told[challenge] += [(n, place) for place in range(many)]

    async def stamp(stop: asyncio.Event) -> int:
        stamped = 0
        while not stop.is_set():
            stamped += await events.stamp()
        return stamped

    stop = asyncio.Event()
    stampers = [asyncio.create_task(stamp(stop)) for _ in range(2)]
    await asyncio.gather(*(write(challenge) for challenge in challenges))
    stop.set()
    stamped = sum(await asyncio.gather(*stampers)) + await events.stamp()

    found = await rows("select position, challenge_id, number, payload->'n' as n, payload->'place' as place "
                       "from events order by position")  # fmt: skip
    assert [row["position"] for row in found] == list(range(1, stamped + 1))
    for challenge in challenges:
        mine = [row for row in found if row["challenge_id"] == challenge]
        assert [row["number"] for row in mine] == list(range(1, len(mine) + 1))
        assert [(int(row["n"]), int(row["place"])) for row in mine] == told[challenge]
    assert await value("select count(*) from outbox") == 0


async def test_what_commits_late_gets_a_later_position(database: str) -> None:
    slow, quick = await _challenges(database, 2)
    async with root_transaction(LockRoot.of_challenge(slow)) as work:
        work.emit("told", brand="acme", challenge_id=slow, payload={"n": 1})
        await work.flush()  # it has its number in the outbox, and is not committed
        work.new_events.clear()
        await elsewhere(_tell(quick, 2))
        assert await elsewhere(events.stamp()) == 1
    assert await events.stamp() == 1
    assert await rows("select position, challenge_id, number from events order by position") == [
        {"position": 1, "challenge_id": quick, "number": 1},
        {"position": 2, "challenge_id": slow, "number": 1},
    ]


async def test_what_a_dead_process_left_is_stamped_by_the_next_and_subscribers_are_told(database: str) -> None:
    [challenge] = await _challenges(database, 1)
    await _tell(challenge, 1)  # and the process dies
    told, stop = asyncio.Event(), asyncio.Event()
    async with connection(database) as listener:
        await listener.add_listener(CHANNEL, lambda *_: told.set())
        stamper = asyncio.create_task(events.run_stamper(stop))
        async with asyncio.timeout(20):
            await told.wait()
            assert await value("select count(*) from events") == 1
            told.clear()
            await _tell(challenge, 2)
            await told.wait()
            stop.set()
            await stamper
        await listener.reset()
    assert await value("select max(position) from events") == 2


async def test_a_stamper_outlives_a_database_that_fails_it(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    [challenge] = await _challenges(database, 1)
    await _tell(challenge, 1)
    stamp, failed, stop, done = events.stamp, [0], asyncio.Event(), asyncio.Event()

    async def fails_once() -> int:
        if not failed[0]:
            failed[0] += 1
            raise ConnectionResetError
        stamped = await stamp()
        done.set()
        return stamped

    monkeypatch.setattr(events, "stamp", fails_once)
    monkeypatch.setattr(events, "RETRY_SECONDS", 0)
    stamper = asyncio.create_task(events.run_stamper(stop))
    async with asyncio.timeout(20):
        await done.wait()
        stop.set()
        await stamper
    assert await value("select count(*) from events") == 1


async def test_nothing_waiting_is_nothing_stamped(database: str) -> None:
    assert await events.stamp() == 0
