"""Reads that come together share one statement, and none is answered by one that began before it asked."""

import asyncio
from collections.abc import Collection

import pytest

from services.coalescing import Coalesced


class Source:
    """Answers each key with how many reads had begun; a read ends when it is let go."""

    def __init__(self) -> None:
        self.reads: list[set[str]] = []
        self.gate = asyncio.Event()
        self.fault: Exception | None = None

    async def read(self, keys: Collection[str]) -> dict[str, int]:
        self.reads.append(set(keys))
        number = len(self.reads)
        await self.gate.wait()
        if self.fault:
            raise self.fault
        return {key: number for key in keys if key != "nobody"}


async def _until(condition: object) -> None:
    async with asyncio.timeout(5):
        while not condition():  # type: ignore[operator] # a function of nothing
            await asyncio.sleep(0)


async def test_who_asks_while_a_read_is_under_way_is_answered_by_the_next() -> None:
    source = Source()
    coalesced = Coalesced(source.read)
    first = asyncio.create_task(coalesced.get("a"))
    await _until(lambda: source.reads)
    later = [asyncio.create_task(coalesced.get(key)) for key in ("a", "b", "b", "nobody")]
    await _until(lambda: len(coalesced._waiting) == 4)  # noqa: SLF001 - all of them wait
    source.gate.set()
    assert await asyncio.gather(first, *later) == [1, 2, 2, 2, None]
    assert source.reads == [{"a"}, {"a", "b", "nobody"}]


async def test_a_fault_reaches_everyone_it_concerns_and_nobody_after_them() -> None:
    source = Source()
    coalesced = Coalesced(source.read)
    source.fault = OSError("the database is away")
    source.gate.set()
    answers = await asyncio.gather(coalesced.get("a"), coalesced.get("b"), return_exceptions=True)
    assert [type(one) for one in answers] == [OSError, OSError]
    source.fault = None
    assert await coalesced.get("a") == 2


async def test_a_caller_that_goes_away_takes_nobody_along() -> None:
    source = Source()
    coalesced = Coalesced(source.read)
    gone, stays = asyncio.create_task(coalesced.get("a")), asyncio.create_task(coalesced.get("a"))
    await _until(lambda: source.reads)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    source.gate.set()
    assert await stays == 1
