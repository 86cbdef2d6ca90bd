"""The quote cache agrees with the database."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from domain.errors import NoMarket
from domain.instruments import Instrument
from models import quotes as stored
from models.quotes import Clocks
from services import instruments, quote_cache, quotes
from services.quote_cache import QuoteCache, market_time
from services.unit_of_work.reads import read_connection
from tests.services.world import ADMIN, START, World, a_quote, a_world

LATER = START + timedelta(hours=1)


async def _runs(world: World, batches: int) -> None:
    """Quote EURUSD in every batch, GBPUSD in every third."""
    for n in range(batches):
        world.at += timedelta(seconds=1)
        quoted = [a_quote("EURUSD", f"1.1{n:03}", world.at)]
        if n % 3 == 0:
            quoted.append(a_quote("GBPUSD", f"1.3{n:03}", world.at))
        await quotes.ingest(quoted)


async def test_what_is_remembered_is_what_is_stored_at_every_batch(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quote_cache, "BATCHES_KEPT", 4)
    world = await a_world(database)
    await _runs(world, 3)
    mine = QuoteCache()
    async with read_connection() as conn:
        for _ in range(3):  # the third time it forgets the oldest
            await mine.extend(conn)
            for after in range(mine.newest + 1):
                known = {symbol: quote for symbol, (_, quote) in (await stored.read_market(conn, after)).items()}
                assert await mine.market(conn, after) == known
                for through in (after, mine.newest - 1, mine.newest):
                    assert await mine.batches(conn, after, through) == await stored.read_batches(conn, after, through)
            await _runs(world, 5)


async def test_tasks_that_read_the_same_batches_at_once_remember_them_once(database: str) -> None:
    world = await a_world(database)
    mine = QuoteCache()

    async def extend() -> None:
        async with read_connection() as conn:
            await mine.extend(conn)

    await asyncio.gather(*(extend() for _ in range(8)))
    await _runs(world, 6)
    await asyncio.gather(*(extend() for _ in range(8)))
    async with read_connection() as conn:
        assert [batch.number for batch in await mine.batches(conn, 1, 7)] == [2, 3, 4, 5, 6, 7]
    assert mine.newest == 7


async def test_a_new_instrument_is_known_at_the_next_look(database: str) -> None:
    await a_world(database)
    mine = QuoteCache()
    async with read_connection() as conn:
        await mine.extend(conn)
        before = mine.catalogue
        await mine.extend(conn)
        assert mine.catalogue is before
    await instruments.save_instrument(ADMIN, Instrument("XAUUSD", "XAU", "USD", 2, Decimal("0.01"), Decimal("0.01")))
    async with read_connection() as conn:
        await mine.extend(conn)
    assert "XAUUSD" in mine.catalogue.instruments
    assert "XAUUSD" not in before.instruments


async def test_what_converts_a_currency_stays_what_it_was_whatever_is_listed_or_saved_later(database: str) -> None:
    await a_world(database)
    for symbol, quote in (("EURUSDT", "USDT"), ("AAAUSD", "USD"), ("EURUSD", "USD")):  # dollars all, and EURUSD again
        await instruments.save_instrument(ADMIN, Instrument(symbol, "EUR", quote, 5, Decimal(10), Decimal(1000)))
    async with read_connection() as conn:
        catalogue = await stored.read_catalogue(conn)
    assert catalogue.instruments["EURUSD"].quantity_step == 10
    assert catalogue.conversion("EUR", "USD").direct[0] == ("EURUSD", False)
    assert catalogue.conversion("USDC", "EUR").direct[0] == ("EURUSD", True)


@pytest.mark.parametrize(
    ("mode", "real", "newest", "expected"),
    [
        ("SYSTEM", START, None, START),
        ("SYSTEM", LATER, START, LATER),
        ("SYSTEM", START, LATER, LATER),  # never behind the newest batch
        ("REPLAY", LATER, START, START),
    ],
)
def test_the_markets_time_is_the_databases_or_in_a_replay_the_newest_batchs(
    mode: str, real: datetime, newest: datetime | None, expected: datetime
) -> None:
    assert market_time(Clocks(mode, real, 1, 0, newest)) == expected


def test_a_replay_that_has_not_begun_has_no_time() -> None:
    with pytest.raises(NoMarket):
        market_time(Clocks("REPLAY", START, 1, 0, None))
