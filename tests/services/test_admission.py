"""Fair shares of the pool's connections: who may hold how many, whose turn is next, and who is turned away."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass

import pytest

from config.settings import settings
from domain.errors import Busy
from services.admission import FairShare, Limits, Share, admission
from services.round_robin import RoundRobin


@dataclass(frozen=True)
class Party:
    bearer: str
    brand: str = "acme"


ALICE, BOB, EVE = Party("alice"), Party("bob"), Party("eve", "rivals")


def an_admission(
    places: int = 4, brand: int = 3, bearer: int = 2, waiting: int = 100, seconds: float = 30
) -> FairShare:
    return FairShare(Limits(places, brand, bearer, waiting, seconds))


async def a_place(places: FairShare, party: Party) -> Share:
    return places.take(party) or await places.wait(party)


async def turn() -> None:
    """Let every task that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_bearer_and_a_brand_hold_so_many_and_leave_the_rest_to_others() -> None:
    places = an_admission()
    assert [places.take(ALICE) is not None for _ in range(3)] == [True, True, False]
    assert [places.take(BOB) is not None for _ in range(2)] == [True, False], "three of one brand"
    assert [places.take(EVE) is not None for _ in range(2)] == [True, False], "there are four"


async def test_a_place_that_is_given_back_goes_to_whoever_waits_by_turns() -> None:
    places = an_admission(places=1, brand=1, bearer=1)
    held = await a_place(places, ALICE)
    served: list[str] = []

    async def work(party: Party, name: str) -> None:
        place = await a_place(places, party)
        served.append(name)
        await asyncio.sleep(0)
        places.give(place)

    asked = [(ALICE, f"a{n}") for n in range(4)] + [(BOB, "b0"), (BOB, "b1"), (EVE, "e0"), (EVE, "e1")]
    tasks = []
    for party, name in asked:
        tasks.append(asyncio.create_task(work(party, name)))
        await turn()
    places.give(held)
    await asyncio.gather(*tasks)
    assert served == ["e0", "b0", "e1", "a0", "b1", "a1", "a2", "a3"], "brand by brand, in each bearer by bearer"


async def test_who_has_all_it_may_have_does_not_keep_a_free_place_from_others() -> None:
    places = an_admission()
    mine = [await a_place(places, ALICE) for _ in range(2)]
    waiting = asyncio.create_task(a_place(places, ALICE))
    await turn()
    assert places.take(EVE), "it does not stand behind one that may not have the place"
    assert not waiting.done()
    places.give(mine.pop())
    await waiting


async def test_too_many_that_wait_and_one_that_waits_too_long_are_busy_and_told_when_to_come_back() -> None:
    places = an_admission(bearer=1, waiting=2, seconds=0.05)
    held = await a_place(places, ALICE)
    waiting = [asyncio.create_task(a_place(places, ALICE)) for _ in range(2)]
    await turn()
    with pytest.raises(Busy, match="waiting 2, waiting max 2") as refused:
        await a_place(places, ALICE)
    assert refused.value.facts["retry_after"] == 1.0
    for task in waiting:
        with pytest.raises(Busy):
            await task
    places.give(held)
    assert await a_place(places, ALICE), "those that were refused have left their places in the row"


async def test_the_patient_are_never_turned_away() -> None:
    places = an_admission(bearer=1, waiting=1, seconds=0.01)
    held = await a_place(places, ALICE)
    places.take(ALICE)
    patient = [asyncio.create_task(places.wait(ALICE, patient=True)) for _ in range(3)]
    await turn()
    with pytest.raises(Busy):
        await a_place(places, ALICE)
    bob = places.take(BOB)
    with pytest.raises(Busy):  # after the time that the patient have waited for, too
        await a_place(places, BOB)
    assert bob
    places.give(bob)
    assert not any(task.done() for task in patient)
    places.give(held)
    for task in patient:
        places.give(await task)


async def test_who_is_cancelled_as_it_is_served_passes_its_place_on() -> None:
    places = an_admission(places=1, brand=1, bearer=1)
    held = await a_place(places, ALICE)
    first, second = (asyncio.create_task(a_place(places, party)) for party in (BOB, EVE))
    await turn()
    places.give(held)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second


async def test_who_was_cancelled_before_it_was_served_is_passed_over() -> None:
    places = an_admission(places=1, brand=1, bearer=1)
    held = await a_place(places, ALICE)
    first, second = (asyncio.create_task(a_place(places, party)) for party in (BOB, EVE))
    await turn()
    first.cancel()
    places.give(held)
    assert await second
    with pytest.raises(asyncio.CancelledError):
        await first


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_comes_and_goes_no_limit_is_exceeded_and_nobody_is_forgotten(seed: int) -> None:
    chance = random.Random(seed)
    limits = Limits(chance.randint(1, 5), chance.randint(1, 4), chance.randint(1, 3), 50, 30)
    places = FairShare(limits)
    parties = [Party(f"{brand}{n}", brand) for brand in "xyz" for n in range(3)]
    held: Counter[Party] = Counter()

    def check() -> None:
        of_brand = Counter[str]()
        for party, many in held.items():
            of_brand[party.brand] += many
        assert held.total() <= limits.places
        assert max(held.values(), default=0) <= limits.bearer
        assert max(of_brand.values(), default=0) <= limits.brand

    async def work(party: Party) -> None:
        place = await a_place(places, party)
        held[party] += 1
        check()
        try:
            for _ in range(chance.randint(0, 3)):
                await asyncio.sleep(0)
        finally:
            held[party] -= 1
            places.give(place)

    tasks = []
    for _ in range(200):
        tasks.append(asyncio.create_task(work(chance.choice(parties))))
        if chance.random() < 0.3:
            chance.choice(tasks).cancel()
        if chance.random() < 0.5:
            await asyncio.sleep(0)
    async with asyncio.timeout(20):
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(one) for one in ended} <= {type(None), asyncio.CancelledError}
    assert not places._shares, "nothing is remembered of those that have gone"  # noqa: SLF001
    assert not places._brands  # noqa: SLF001
    assert not places._ready  # noqa: SLF001
    assert places._free == limits.places  # noqa: SLF001


@pytest.mark.usefixtures("database")
def test_shares_go_by_the_size_of_the_pool_and_callers_never_have_all_of_it() -> None:
    assert admission().limits == Limits(8, 7, 4, settings().queue_bearer_max, settings().queue_seconds_max)


def test_those_that_wait_for_a_common_transaction_go_by_turns_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.round_robin.settings", lambda: settings().replace(queue_bearer_max=4))
    waiting = RoundRobin[str]()
    for item in ("a0", "a1", "a2", "a3", "b0"):
        waiting.check_room(item[0])
        waiting.append(item[0], item)
    with pytest.raises(Busy, match="waiting max 4"):
        waiting.check_room("a")
    assert waiting.next() == "a0"
    assert [waiting.pop() for _ in range(3)] == ["a0", "b0", "a1"]
    waiting.put_back("c", "c0")
    assert [waiting.pop() for _ in range(3)] == ["c0", "a2", "a3"]
    assert not waiting
