"""The database goes away in the middle of something: nothing is half done, and the next try succeeds."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from models import accounts, events, quotes, receipts, sql
from models import jobs as owed
from models.columnar import marks as marked
from models.sql import Connection
from models.tables.brands import Brand
from services import events as stamping
from services import purchases, quarantine
from services import quotes as ingesting
from services.columnar import passes
from services.connections import LOST
from services.jobs import work_queue
from services.unit_of_work.openings import transaction
from tests.services.world import (
    CLIENT,
    World,
    a_quote,
    a_world,
    act,
    books_hold,
    hurry,
    kill_connections,
    plant_a_breach,
    rows,
    settle,
    totals,
    value,
)


def cut(monkeypatch: pytest.MonkeyPatch, url: str, module: ModuleType, name: str, *, after: bool) -> list[int]:
    """Kill every connection, once, just before or after a statement of the models; answers how many those were."""
    statement, killed = getattr(module, name), list[int]()

    async def interrupted(*args: Any, **kwargs: Any) -> Any:
        if killed:
            return await statement(*args, **kwargs)
        if after:
            answer = await statement(*args, **kwargs)
            killed.append(await kill_connections(url))
            return answer
        killed.append(await kill_connections(url))
        return await statement(*args, **kwargs)

    monkeypatch.setattr(module, name, interrupted)
    return killed


async def two_about_to_breach(world: World, n: int) -> tuple[int, int]:
    """Two accounts that the marker knows, and two batches it does not: a mark, and a loss beyond the limit."""
    world.at += timedelta(minutes=1)
    await ingesting.ingest([a_quote("EURUSD", "1.1", world.at)])
    held = [await world.buy(f"{n}-{place}") for place in range(2)]
    for _, account in held:
        await act(account, "OPEN", action_id="a1", quantity="1000000")
    await passes.mark_shard(0)
    for mid in ("1.101", "1.09"):
        world.at += timedelta(seconds=10)
        await ingesting.ingest([a_quote("EURUSD", mid, world.at)])
    return held[0][0], held[1][0]


PASS = [
    (marked, "touched_accounts"),
    (marked, "write_marks"),
    (accounts, "lock_roots"),
    (sql, "write_together"),
    (marked, "record_progress"),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_pass_that_loses_its_connections_is_begun_again_and_no_account_is_blamed(
    database: str, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    world = await a_world(database, price=0)
    stopped = 0
    for n, (module, name) in enumerate(PASS):
        both = await two_about_to_breach(world, n)
        with monkeypatch.context() as patch:
            killed = cut(patch, database, module, name, after=after)
            try:
                await passes.mark_shard(0)
            except quarantine.TROUBLES:  # which the actor logs; then the next message comes
                stopped += 1
            assert killed, name
            await passes.mark_shard(0)
        breaches = await rows("select rule from breaches where challenge_id = any($1::bigint[])", list(both))
        assert [row["rule"] for row in breaches] == ["MAX_TOTAL_LOSS"] * 2, name
        await settle()
    assert stopped >= len(PASS) - 2
    assert await value("select count(*) from ledger where kind = 'mark_failed'") == 0
    assert await value("select count(*) from positions where status = 'OPEN'") == 0
    await books_hold()


async def test_an_account_is_not_blamed_for_a_connection_lost_while_it_is_taken_by_itself(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(database, price=0)
    sound, spoilt = await two_about_to_breach(world, 0)
    await plant_a_breach(database, spoilt)  # so that both together fail, and each is tried alone
    write, written = sql.write_together, list[int]()

    async def cut_the_second(conn: Connection, *args: Any) -> None:
        written.append(conn.get_server_pid())
        if len(written) == 2:
            await kill_connections(database, only=written[-1])
        await write(conn, *args)

    monkeypatch.setattr(sql, "write_together", cut_the_second)
    with pytest.raises(quarantine.TROUBLES):
        await passes.mark_shard(0)
    await settle()
    blamed = await rows("select account_id from ledger where kind = 'mark_failed'")
    assert [row["account_id"] for row in blamed] == [await world.account(spoilt)]
    assert await value("select status from challenges where id = $1", sound) == 3


QUEUE = [(owed, name) for name in ("take_job", "lock_queued_job", "finish_job")] + [
    (accounts, "lock_accounts_of_roots"),
    (sql, "write_together"),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_drain_that_loses_its_connections_owes_nothing_twice(
    database: str, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    world = await a_world(database, cash=10_000)
    for n, (module, name) in enumerate(QUEUE):
        await purchases.buy(CLIENT, world.program, world.wallet, f"k{n}")
        with monkeypatch.context() as patch:
            killed = cut(patch, database, module, name, after=after)
            with suppress(*quarantine.TROUBLES):  # which the actor logs; then the next message comes
                await work_queue.do_jobs()
            assert killed, name
            while await value("select exists (select from jobs where status = 'QUEUED')"):
                await hurry()
                await work_queue.do_jobs()
    assert await rows("select status, count(*) as many from purchases group by status") == [{"status": 3, "many": 5}]
    assert await value("select cash from wallets where id = $1", world.wallet) == 7_500
    await books_hold()


async def test_what_a_caller_asked_for_is_done_not_at_all_or_once_when_it_asks_again(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(database)
    await world.buy()
    quote = a_quote("EURUSD", "1.1001", world.at)
    asked: list[tuple[Callable[[], Awaitable[Any]], ModuleType, str]] = [
        (lambda: purchases.buy(CLIENT, world.program, world.wallet, "k2"), receipts, "write_receipt_answer"),
        (lambda: ingesting.ingest([quote]), quotes, "insert_batches"),
        (stamping.stamp, events, "stamp"),
    ]
    for ask, module, name in asked:
        before = await totals()
        with monkeypatch.context() as patch:
            killed = cut(patch, database, module, name, after=True)
            with pytest.raises(quarantine.TROUBLES):
                await ask()
            assert killed
            assert await totals() == before, name
            await ask()
            assert await totals() != before, name
    await settle()
    await books_hold()


async def test_readers_and_writers_go_on_while_connections_are_killed_again_and_again(database: str) -> None:
    world = await a_world(database, cash=100_000)
    held = [(await world.buy(f"k{n}"))[1] for n in range(4)]

    async def insist(ask: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> None:
        while True:
            with suppress(*quarantine.TROUBLES):  # a client that asks again
                await ask(*args, **kwargs)
                return

    async def trade(account: int) -> None:
        for n in range(0, 6, 2):
            await insist(act, account, "OPEN", action_id=f"a{n}", quantity="1000")
            await insist(act, account, "CLOSE", action_id=f"a{n + 1}")

    async def quote_and_mark() -> None:
        for n in range(8):
            await insist(ingesting.ingest, [a_quote("EURUSD", f"1.100{n}", world.at)])
            await insist(passes.mark_shard, 0)

    async def kill() -> None:
        for _ in range(6):
            await kill_connections(database)

    async with asyncio.timeout(60):
        await asyncio.gather(*(trade(account) for account in held), quote_and_mark(), kill())
    await settle()
    assert await value("select count(*) from fills") == 24
    assert await value("select count(*) from decision_actions where status = 'EXECUTED'") == 24
    assert await value("select count(*) from ledger where kind = 'mark_failed'") == 0
    await books_hold()


async def test_a_task_whose_transaction_could_not_begin_can_begin_another(database: str) -> None:
    await a_world(database)

    async def look() -> int:
        async with transaction():
            return await Brand.all().count()

    async def found() -> int:
        with suppress(*LOST):  # each dead connection of the pool is found out once
            return await look()
        return 0

    with ThreadPoolExecutor(1) as elsewhere:
        for _ in range(12):  # more often than the pool has connections
            elsewhere.submit(lambda: asyncio.run(kill_connections(database))).result()  # unseen by this loop
            with pytest.raises(LOST):
                await look()
            async with asyncio.timeout(20):
                while not await found():
                    pass
