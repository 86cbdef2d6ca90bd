"""Taking in quotes: what is accepted, how it is cut into batches, what is dropped and counted."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from config.settings import settings
from domain.errors import InvalidInput, TooManyBatches
from domain.quotes import Quote
from services import quotes, system
from services.columnar import passes
from tests.services.world import START, a_quote, a_world, rows, value

SECOND = timedelta(seconds=1)


async def test_what_cannot_be_used_is_dropped_counted_and_reported(database: str) -> None:
    world = await a_world(database, replay=False)
    at = world.at + SECOND

    def quote(bid: str, ask: str, symbol: str = "GBPUSD", after: timedelta = SECOND) -> Quote:
        return Quote(symbol, Decimal(bid), Decimal(ask), world.at + after)

    cases = {
        "UNKNOWN_SYMBOL": [
            quote("1", "1", "\N{CYRILLIC CAPITAL LETTER IE}URUSD"),
            quote("1", "1", "eurusd"),
            quote("1", "1", "EURUSD "),
        ],
        "CROSSED": [quote("1.3", "1.2")],
        "NOT_POSITIVE": [quote("0", "1"), quote("-1", "1"), quote("-2", "-1")],
        "NOT_FINITE": [quote("NaN", "1"), quote("1", "Infinity"), quote("-Infinity", "1"), quote("sNaN", "NaN")],
        "OUT_OF_RANGE": [quote("1e400", "1e400"), quote("1", "1e10")],
        "TOO_PRECISE": [quote(f"1.{'1' * 40}", "2"), quote("1e-9", "1"), quote("1", "1.000000001")],
        "FUTURE": [quote("1", "1", after=timedelta(minutes=10))],
        "LATE": [quote("1", "1", "EURUSD", -SECOND)],
    }
    offered = [quote for bad in cases.values() for quote in bad]
    taken = await quotes.ingest([*offered, a_quote("GBPUSD", "1.3", at)])

    assert (taken.accepted, taken.newest_batch) == (1, 2)
    counted = await rows("select symbol, reason, count from dropped_quotes order by symbol, reason")
    assert taken.dropped == sorted((row["symbol"], row["reason"], row["count"]) for row in counted)
    by_reason = {reason: sum(row["count"] for row in counted if row["reason"] == reason) for reason in cases}
    assert by_reason == {reason: len(bad) for reason, bad in cases.items()}
    assert await value("select count(*) from quotes") == 2

    await quotes.ingest(offered)
    assert await value("select sum(count) from dropped_quotes") == 2 * len(offered)
    assert await value("select max(number) from batches") == 2, "nothing accepted, no batch"


async def test_quotes_with_the_noise_of_floats_are_rounded_and_counted(database: str) -> None:
    await a_world(database)
    noisy = Quote("EURUSD", Decimal("1.1370200000000001"), Decimal("1.1371999999999998"), START)
    taken = await quotes.ingest([noisy, a_quote("EURUSD", "1.1", START)])
    assert (taken.accepted, taken.rounded, taken.dropped) == (2, 1, [])
    stored = await rows("select bid, ask from quotes where batch = $1", taken.batches[0])
    assert [(row["bid"], row["ask"]) for row in stored] == [(Decimal("1.13702"), Decimal("1.1372"))]


async def test_a_symbol_that_is_no_text_is_counted_all_the_same(database: str) -> None:
    await a_world(database)
    for symbol in ("\0", "\ud800", "X" * 100_000):
        taken = await quotes.ingest([a_quote(symbol, "1", START), a_quote("EURUSD", "1.1", START)])
        assert taken.accepted == 1
    assert {row["symbol"] for row in await rows("select symbol from dropped_quotes")} == {"?", "X" * 32}
    assert await value("select sum(count) from dropped_quotes") == 3


async def test_of_equal_source_times_the_later_arrival_wins_and_both_are_kept(database: str) -> None:
    await a_world(database)
    await quotes.ingest([a_quote("EURUSD", "1.2", START)])
    taken = await quotes.ingest([a_quote("EURUSD", "1.3", START), a_quote("EURUSD", "1.4", START)])
    assert taken.batches == [3, 4]
    bids = await rows("select bid from quotes where symbol = 'EURUSD' order by batch")
    assert [row["bid"] for row in bids] == [Decimal(text) for text in ("1.09999", "1.19999", "1.29999", "1.39999")]
    assert await value("select bid from latest_quotes where symbol = 'EURUSD'") == Decimal("1.39999")


async def test_live_a_batch_is_as_large_as_it_can_be_and_never_holds_two_of_a_symbol(database: str) -> None:
    world = await a_world(database, replay=False)
    one, two = world.at + SECOND / 10, world.at + SECOND / 5
    offered = [a_quote("EURUSD", "1.1", one), a_quote("GBPUSD", "1.3", two), a_quote("EURUSD", "1.2", two),
               a_quote("EURUSD", "1.3", two), a_quote("GBPUSD", "1.4", two)]  # fmt: skip
    taken = await quotes.ingest(offered)
    assert (taken.batches, taken.accepted) == ([2, 3, 4], 5)
    held = await rows("select batch, symbol from quotes where batch > 1 order by batch, symbol")
    assert [(row["batch"], row["symbol"]) for row in held] == [
        (2, "EURUSD"), (2, "GBPUSD"), (3, "EURUSD"), (4, "EURUSD"), (4, "GBPUSD"),
    ]  # fmt: skip
    assert await value("select bool_and(quotes = n) from batches join (select batch, count(*) as n from quotes "
                       "group by batch) q on batch = number")  # fmt: skip


async def test_in_a_replay_the_cut_does_not_depend_on_how_the_quotes_are_handed_in(database: str) -> None:
    await a_world(database)
    times = [START + SECOND, START + SECOND, START + 2 * SECOND, START + 3 * SECOND, START + 3 * SECOND]
    symbols = ["EURUSD", "GBPUSD", "GBPUSD", "GBPUSD", "EURUSD"]
    whole = await quotes.ingest([a_quote(symbol, "1.1", at) for symbol, at in zip(symbols, times, strict=True)])
    assert whole.batches == [2, 3, 4]
    batches = await rows("select market_time, quotes from batches where number > 1 order by number")
    assert [(row["market_time"], row["quotes"]) for row in batches] == [(times[0], 2), (times[2], 1), (times[3], 2)]


async def test_in_a_replay_the_markets_time_never_goes_back(database: str) -> None:
    await a_world(database)
    await quotes.ingest([a_quote("EURUSD", "1.1", START + SECOND)])
    await quotes.ingest([a_quote("GBPUSD", "1.3", START)])  # the first of its symbol, so it is not late
    assert await value("select market_time from batches where number = 3") == START + SECOND


async def test_concurrent_ingests_are_numbered_densely_in_the_order_of_their_commits(database: str) -> None:
    world = await a_world(database, replay=False)
    offered = [a_quote(symbol, f"1.{n}", world.at) for n in range(1, 11) for symbol in ("EURUSD", "GBPUSD")]
    answers = await asyncio.gather(*(quotes.ingest([quote]) for quote in offered))
    assert sorted(number for answer in answers for number in answer.batches) == list(range(2, 22))
    stored = await rows("select number, market_time, recorded_at from batches order by number")
    assert [row["number"] for row in stored] == list(range(1, 22))
    for clock in ("market_time", "recorded_at"):
        assert [row[clock] for row in stored] == sorted(row[clock] for row in stored)
    last = {answer.newest_batch: quote for answer, quote in zip(answers, offered, strict=True)}
    for row in await rows("select batch, symbol, bid from latest_quotes"):
        assert (row["symbol"], row["bid"]) == (last[row["batch"]].symbol, last[row["batch"]].bid)


async def test_too_many_quotes_at_once_are_refused_whole(database: str) -> None:
    await a_world(database)
    with pytest.raises(InvalidInput):
        await quotes.ingest([a_quote("EURUSD", "1.1", START)] * (quotes.QUOTES_MAX + 1))
    assert await value("select count(*) from batches") == 1


async def test_time_passes_in_an_empty_batch_live_only_and_not_before_the_first_quotes(database: str) -> None:
    assert not await quotes.append_empty_batch(timedelta(0)), "no market yet"
    world = await a_world(database, replay=False)
    assert not await quotes.append_empty_batch(timedelta(hours=1)), "the newest is young"
    assert await quotes.append_empty_batch(timedelta(0))
    empty = (await rows("select number, quotes, market_time from batches order by number"))[-1]
    assert (empty["number"], empty["quotes"]) == (2, 0)
    assert empty["market_time"] > world.at


async def test_a_replays_time_does_not_pass_by_itself(database: str) -> None:
    await a_world(database)
    assert not await quotes.append_empty_batch(timedelta(0))
    assert await value("select count(*) from batches") == 1


async def test_symbols_without_end_share_one_counter(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = await a_world(database)
    monkeypatch.setattr("services.quotes.settings", lambda: settings().replace(dropped_rows_max=3))
    for number in range(4):
        symbols = [f"X{number}{letter}" for letter in "ABC"]
        await quotes.ingest([a_quote(symbol, "1", world.at) for symbol in [*symbols, symbols[0]]])
    await quotes.ingest([a_quote("EURUSD", "-1", world.at), a_quote("X0A", "1", world.at)])
    found = await rows("select symbol, reason, count from dropped_quotes order by symbol")
    assert found == [
        {"symbol": "*", "reason": "UNKNOWN_SYMBOL", "count": 12},
        {"symbol": "EURUSD", "reason": "NOT_POSITIVE", "count": 1},
        {"symbol": "X0A", "reason": "UNKNOWN_SYMBOL", "count": 3},
        {"symbol": "X0B", "reason": "UNKNOWN_SYMBOL", "count": 1},
        {"symbol": "X0C", "reason": "UNKNOWN_SYMBOL", "count": 1},
    ]
    assert (await system.read_figures()).dropped == {"UNKNOWN_SYMBOL": 17, "NOT_POSITIVE": 1}


async def test_a_request_makes_few_batches_and_fewer_while_many_wait(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_world(database, replay=False)
    monkeypatch.setattr("services.quotes.settings", lambda: settings().replace(batches_request_max=20))

    async def offer(many: int) -> int:
        at = datetime.now(UTC)
        return (await quotes.ingest([a_quote("EURUSD", f"1.1{n:02}", at) for n in range(many)])).accepted

    before = await value("select max(number) from batches")
    with pytest.raises(TooManyBatches) as refused:
        await offer(21)
    assert refused.value.facts == {"batches_max": 20, "batches": 21}
    assert await value("select max(number) from batches") == before, "nothing of it is taken"
    assert await offer(20) == 20
    assert await offer(10) == 10, "few are always taken"
    with pytest.raises(TooManyBatches):
        await offer(11)
    await passes.mark_shard(0)
    assert await offer(11) == 11
