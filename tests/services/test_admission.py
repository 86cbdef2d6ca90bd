"""Fair shares of the pool's connections: who may hold how many, whose turn is next, and who is turned away."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from config.settings import settings
from domain.errors import Busy
from services.admission import KEEP_MAX, Averages, FairShare, Limits, Share, admission
from services.round_robin import RoundRobin
from services.telemetry import ADMISSION_REFUSALS, SLOWED


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


@pytest.mark.parametrize("shares", [False, True], ids=["places alone", "statement seconds too"])
@pytest.mark.parametrize("seed", range(20))
async def test_whatever_comes_and_goes_no_limit_is_exceeded_and_nobody_is_forgotten(
    seed: int, shares: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    limits = Limits(chance.randint(1, 5), chance.randint(1, 4), chance.randint(1, 3), 50, 30)
    averages = Averages(brand=chance.random(), bearer=chance.random(), known=1, slow=1) if shares else None
    monkeypatch.setattr("services.usage.WINDOW_SECONDS", 1e-3)
    monkeypatch.setattr("services.admission.QUICK_SECONDS", chance.choice([1e-6, 1.0]))
    places = FairShare(limits, averages)
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
    assert not places._row  # noqa: SLF001
    assert not places._slow_row  # noqa: SLF001
    assert places._free == limits.places  # noqa: SLF001
    assert places._slow_free == (averages.slow if averages else 0)  # noqa: SLF001
    places.forget(time.monotonic() + 61)
    assert not places._shares, "nothing is remembered of those that have gone a minute ago"  # noqa: SLF001
    assert not places._brands  # noqa: SLF001


class Time:
    """The clock of an admission, which a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr("services.admission.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


def with_averages(places: int = 8, bearer: int = 4, seconds: float = 30) -> FairShare:
    return FairShare(Limits(places, 6, bearer, 100, seconds), Averages(brand=1.0, bearer=0.5, known=2, slow=2))


def use(places: FairShare, party: Party, seconds: float, clock: Time) -> None:
    """Hold a place for so long."""
    share = places.take(party)
    assert share
    clock.now += seconds
    places.give(share)


def make_slow(places: FairShare, parties: Sequence[Party], clock: Time) -> None:
    """Let each hold a place for longer than its share, at the same time."""
    shares = [places.take(party) for party in parties]
    clock.now += 10
    for share in shares:
        assert share
        places.give(share)


def test_a_bearer_of_which_nothing_is_known_has_one_place_until_it_came_back_quickly(clock: Time) -> None:
    places = with_averages()
    use(places, BOB, 0.001, clock)
    held = places.take(EVE)
    assert held
    assert places.take(EVE) is None, "others ask, and its first may take long"
    clock.now += 0.01
    places.give(held)
    assert [places.take(EVE) is not None for _ in range(3)] == [True] * 2 + [False], "half of what it may have alone"


def test_a_place_that_was_cut_off_says_nothing_of_its_bearer(clock: Time) -> None:
    places = with_averages()
    use(places, BOB, 0.001, clock)
    held = places.take(EVE)
    assert held
    clock.now += 0.01
    places.give(held, unused=True)
    assert places.take(EVE)
    assert places.take(EVE) is None, "its first may still take long"


def test_a_bearer_that_is_alone_has_all_that_it_may_have_however_long_it_takes(clock: Time) -> None:
    places = with_averages()
    use(places, EVE, 60, clock)
    assert [places.take(EVE) is not None for _ in range(5)] == [True] * 4 + [False]
    clock.now += 60
    assert places.take(BOB), "and leaves places to others"


def test_a_bearer_over_its_share_of_seconds_has_one_place_while_others_ask_and_more_later(clock: Time) -> None:
    places = with_averages()
    before = SLOWED.labels("bearer")._value.get()  # noqa: SLF001 - its only name
    use(places, EVE, 0.01, clock)
    use(places, EVE, 8, clock)
    use(places, BOB, 0.001, clock)
    held = places.take(EVE)
    assert held
    assert held.holds_slow
    assert places.take(EVE) is None
    assert SLOWED.labels("bearer")._value.get() - before == 1, "counted once"  # noqa: SLF001
    clock.now += 0.01
    places.give(held)
    clock.now += 60
    use(places, BOB, 0.001, clock)
    use(places, EVE, 0.001, clock)
    assert [places.take(EVE) is not None for _ in range(3)] == [True] * 2 + [False]


def test_what_writes_is_not_held_back_by_its_bearers_long_reads(clock: Time) -> None:
    places = with_averages()
    use(places, EVE, 8, clock)
    use(places, BOB, 0.001, clock)
    assert places.take(EVE)
    assert places.take(EVE) is None
    assert places.take(EVE, writes=True)


async def test_slow_bearers_of_a_brand_share_one_place_and_the_others_of_the_brand_go_on(clock: Time) -> None:
    places = with_averages()
    make_slow(places, [Party("eve", "rivals"), Party("eva", "rivals")], clock)
    use(places, BOB, 0.001, clock)
    held = places.take(Party("eve", "rivals"))
    assert held
    assert places.take(Party("eva", "rivals")) is None, "one for both"
    waiting = asyncio.create_task(places.wait(Party("eva", "rivals")))
    await turn()
    quick = places.take(Party("manager", "rivals"))
    assert quick, "the brand is over its share, and its quick bearers have a place"
    assert places.take(Party("another", "rivals")) is None
    assert places.take(Party("mallory", "third")), "another brand has what is its own"
    assert not waiting.done()
    places.give(held)
    assert (await waiting).holds_slow


async def test_all_slow_bearers_together_hold_few_places_and_wait_by_turns(clock: Time) -> None:
    places = with_averages(seconds=0.05)
    slow = [Party(f"slow{n}", f"brand{n}") for n in range(4)]
    make_slow(places, slow, clock)
    use(places, BOB, 0.001, clock)
    held = [places.take(party) for party in slow]
    assert [one is not None for one in held] == [True, True, False, False]
    waiting = [asyncio.create_task(places.wait(party)) for party in slow[2:]]
    await turn()
    assert held[0]
    places.give(held[0])
    assert (await waiting[0]).key == "slow2"
    before = ADMISSION_REFUSALS.labels("share")._value.get()  # noqa: SLF001 - its only name
    with pytest.raises(Busy, match=r"connections max 1, database seconds a second .*, database share max 0.5"):
        await waiting[1]
    assert ADMISSION_REFUSALS.labels("share")._value.get() - before == 1  # noqa: SLF001


def test_however_many_bearers_come_few_are_remembered(clock: Time) -> None:
    places = with_averages()
    for number in range(KEEP_MAX + 10):
        use(places, Party(f"bearer{number}", f"brand{number}"), 1e-6, clock)
    assert len(places._shares) == len(places._brands) == KEEP_MAX  # noqa: SLF001


@pytest.mark.usefixtures("database")
def test_shares_go_by_the_size_of_the_pool_and_callers_never_have_all_of_it() -> None:
    assert admission().limits == Limits(8, 7, 4, settings().queue_bearer_max, settings().queue_seconds_max)


@pytest.mark.usefixtures("database")
def test_a_share_of_as_many_seconds_as_connections_holds_nobody_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.admission.settings", lambda: settings().replace(database_share_bearer=4))
    assert admission().averages is None


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
