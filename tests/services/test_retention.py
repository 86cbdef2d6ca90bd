"""Old data is deleted; what the desk or a proof still needs stays, and answers do not change."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import asyncpg
import pytest

from config.settings import settings
from domain.instruments import Instrument
from models import quotes as stored
from models.locks import AdvisoryLock
from models.sql import Connection
from services import admin, corrections, instruments, periodic, quotes, retention
from services.checks import verify
from services.columnar import passes
from services.columnar.passes import Marker
from services.quote_cache import QuoteCache
from services.retention import Retention, Round
from services.unit_of_work.reads import read_connection
from tests.services.corruptions import a_worked_desk
from tests.services.world import (
    ADMIN,
    MANAGER,
    a_quote,
    a_world,
    act,
    another_process,
    books_hold,
    rows,
    value,
)

KEPT = "select symbol, batch from quotes where batch <= (select quotes_forgotten from retention) order by symbol"


@pytest.fixture
def keeping(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`keeping(quotes_keep_days=30)`: what the operator has set."""

    def keep(**days: int | None) -> None:
        changed = settings().replace(**days)
        monkeypatch.setattr(retention, "settings", lambda: changed)

    return keep


async def _age(url: str, days: int = 31) -> None:
    """Let every batch have been recorded so much earlier."""
    async with another_process(url) as owner:
        await owner.execute("update batches set recorded_at = recorded_at - make_interval(days => $1)", days)


async def _a_month(owner: Connection, first: date) -> None:
    """A month of metrics long ago, into which every snapshot so far is moved."""
    await owner.execute(
        f"create table metrics_{first:%Y%m} partition of metrics for values "
        f"from ('{first} 00:00Z') to ('{first} 00:00Z'::timestamptz + interval '1 month')"
    )
    await owner.execute(f"update metrics set recorded_at = '{first} 12:00Z'")


async def test_metrics_go_by_whole_months_and_nothing_else_is_missed(
    database: str, keeping: Callable[..., None]
) -> None:
    world = await a_world(database)
    await world.buy()
    await world.quote("1.10010")
    [(first, age)] = [
        tuple(row.values())
        for row in await rows(
            """select (m - interval '2 months')::date, extract(day from now() - (m - interval '1 month'))::int
            from date_trunc('month', now()) as m"""
        )
    ]
    async with another_process(database) as owner:
        for month in (first, date(2020, 2, 1), date(2020, 1, 1)):
            await _a_month(owner, month)
    assert await retention.delete_old_rows() == Round(0, 0, 0), "for ever, unless the operator says otherwise"

    keeping(metrics_keep_days=age + 1)
    async with another_process(database) as reader:
        assert await reader.fetchval("select count(*) from metrics") > 0
        async with asyncio.timeout(20):
            assert (await retention.delete_old_rows()).months_of_metrics == 0, "who reads them is not waited for"
    rounds = await asyncio.gather(*(retention.delete_old_rows() for _ in range(3)))
    assert sum(one.months_of_metrics for one in rounds) == 2
    assert await value("select count(*) from metrics") == 0
    assert (await retention.read_retention()).metrics == datetime(2020, 3, 1, tzinfo=UTC)
    await world.quote("1.10020")
    assert await value("select count(*) from metrics") == 1
    assert (await retention.delete_old_rows()).months_of_metrics == 0, "a part of it is younger"
    keeping(metrics_keep_days=age)
    assert (await retention.delete_old_rows()).months_of_metrics == 1
    assert await value("select count(*) from metrics") == 1
    await books_hold()
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await value("select forget_metrics(0)")


async def test_quotes_go_as_far_as_all_accounts_are_marked_and_each_symbols_last_stays(
    database: str, keeping: Callable[..., None]
) -> None:
    world = await a_world(database)
    await quotes.ingest([a_quote("GBPUSD", "1.30000", world.at)])  # batch 2, and never again
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000")
    alone = await admin.create_account(MANAGER, mode="RACE", group="DEMO", key="alone")
    await admin.start_by_hand(MANAGER, alone)
    await act(alone, "OPEN", action_id="b1", quantity="1000", order="LIMIT", price="0.5")
    for mid in ("1.10010", "1.10020", "1.10030"):
        await world.quote(mid, after=timedelta(hours=2))
    newest = await value("select max(number) from batches")
    assert await value("select min(marked_through) from balances where live") == newest, "an order that rests, too"

    keeping(quotes_keep_days=30)
    await periodic.run_round("worker")
    assert await retention.read_retention() == Retention(0, 0, None), (
        "the market's clock is months behind, the real one is not"
    )
    await _age(database)
    world.at += timedelta(minutes=1)
    await quotes.ingest([a_quote("EURUSD", "1.10040", world.at)])
    await quotes.ingest([a_quote("EURUSD", "1.10050", world.at)])
    await _age(database)
    async with another_process(database) as owner:  # its shard went on without one that could not be marked
        await owner.execute("update shards set through = $1", newest + 2)
    await retention.delete_old_rows()
    assert (await retention.read_retention()).quotes == newest
    assert [tuple(row.values()) for row in await rows(KEPT)] == [("EURUSD", newest), ("GBPUSD", 2)]
    assert await value("select min(number) from batches") == newest + 1
    await books_hold()

    await Marker(0).drain()  # a worker that starts
    exact = await value("select unrealised from balances where account_id = $1", account)
    assert exact == Decimal("0.5"), "1,000 from 1.1 to 1.1005"
    async with another_process(database) as owner:
        await owner.execute("insert into shards (shard) values (1)")
    assert (await retention.delete_old_rows()).batches == 0, "a shard has judged nothing yet"
    async with another_process(database) as owner:
        await owner.execute("delete from shards where shard = 1")
    await retention.delete_old_rows()
    assert (await retention.read_retention()).quotes == newest + 1, "never the newest batch, however old"
    assert (await verify.count_rows())["forgotten_batches"] == newest + 1
    await books_hold()


async def test_a_marker_that_slept_does_not_go_on_with_rates_of_before(
    database: str, keeping: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(database)
    await instruments.save_instrument(ADMIN, Instrument("EURGBP", "EUR", "GBP", 5, Decimal(1), Decimal(1000)))
    await quotes.ingest([a_quote("EURGBP", "0.85000", world.at), a_quote("GBPUSD", "1.30000", world.at)])
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000", symbol="EURGBP")
    slept, tape = Marker(0), QuoteCache()

    async def another_process_drains() -> None:
        with monkeypatch.context() as there:
            there.setattr(passes, "quote_cache", lambda: tape)
            await slept.drain()

    await another_process_drains()
    await world.quote("1.40000", symbol="GBPUSD")
    await world.quote("1.10010")
    await _age(database)
    keeping(quotes_keep_days=30)
    await retention.delete_old_rows()
    await another_process_drains()
    await quotes.ingest([a_quote("EURGBP", "0.85100", world.at + timedelta(minutes=1))])
    await another_process_drains()
    assert await value("select unrealised from balances where account_id = $1", account) == Decimal("1.4")
    await books_hold()


async def test_proofs_and_corrections_need_no_quote_that_is_gone(
    database: str, keeping: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a process that slept meanwhile begins anew instead of passing over what it has missed."""
    world = await a_worked_desk(database)
    slept, tape = Marker(0), QuoteCache()
    await slept.drain()
    async with read_connection() as conn:
        await tape.extend(conn)
        await world.quote("1.10655")
        await tape.extend(conn)
    for mid in ("1.10660", "1.10670", "1.10640"):
        await world.quote(mid)
    breaches = await value("select count(*) from breaches")
    await _age(database)
    keeping(quotes_keep_days=30)
    await _killed_half_way(monkeypatch)
    await books_hold()
    async with another_process(database) as other:
        await other.execute("select pg_advisory_xact_lock($1)", AdvisoryLock.RETENTION)
        assert await retention.delete_old_rows() == Round(0, 0, 0), "another one is at it"
    rounds = await asyncio.gather(*(retention.delete_old_rows() for _ in range(4)))
    newest = await value("select max(number) from batches")
    assert sum(one.batches for one in rounds) == newest - 1 - 2, "two went before"
    assert (await retention.read_retention()).quotes == newest - 1
    await books_hold()
    assert await value("select count(*) from breaches") == breaches > 0, "derived again from their evidence"

    for account in [row["account_id"] for row in await rows("select account_id from fills where status = 'VOID'")]:
        assert (await corrections.recompute_account(MANAGER, account, "again", apply=False)).differences == []
    trading = await value("select max(account_id) from positions where status = 'OPEN'")
    bad = await value("select max(seq) from fills where account_id = $1 and verb = 'REDUCE'", trading)
    await corrections.void_fills(MANAGER, [(trading, bad)], "a bad tick, of a quote long gone")
    await slept.drain()
    await books_hold()
    async with read_connection() as conn:
        await tape.extend(conn)
        assert tape.newest == newest
        known = {symbol: quote for symbol, (_, quote) in (await stored.read_market(conn, newest)).items()}
        assert await tape.market(conn, newest) == known
    await world.quote("1.10630")
    await books_hold()
    async with read_connection() as conn:
        await tape.extend(conn)
        assert await tape.batches(conn, newest, newest + 1) == await stored.read_batches(conn, newest, newest + 1)


async def _killed_half_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that forgets a batch at a time is killed in its third portion."""
    forget, portions = stored.delete_old_batches, [0]

    async def killed(conn: Connection, days: int, most: int) -> int:
        portions[0] += 1
        gone = await forget(conn, days, 1)
        if portions[0] == 3:
            raise ConnectionResetError
        return gone

    with monkeypatch.context() as patched:
        patched.setattr(stored, "delete_old_batches", killed)
        with pytest.raises(ConnectionResetError):
            await retention.delete_old_rows()
    assert (await retention.read_retention()).quotes == 2
