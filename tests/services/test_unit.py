"""The unit of work: locks, commits, wake-ups after them, and the number of statements."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

import pytest

from config.database import close_database, open_database, pool
from domain.errors import Locked, NoMarket, NotFound
from models.tables.brands import Brand
from services import actions, brands, purchases, quotes
from services.columnar import passes
from services.unit_of_work.openings import catch_up_many, root_transaction, transaction
from services.unit_of_work.roots import LockRoot
from services.unit_of_work.unit import UnitOfWork
from tests.services.world import (
    ADMIN,
    CLIENT,
    TRADER,
    a_quote,
    a_world,
    act,
    an_action,
    another_process,
    books_hold,
    elsewhere,
    make_replay,
    rows,
    totals,
    value,
    waits,
)


async def test_two_transactions_on_one_root_take_turns(database: str) -> None:
    world = await a_world(database)
    challenge, _ = await world.buy()
    inside: list[str] = []

    async def work(name: str) -> None:
        async with root_transaction(LockRoot.of_challenge(challenge)) as unit:
            inside.append(name)
            await unit.conn.fetchval("select 1")
            inside.append(name)

    await asyncio.gather(*(work(name) for name in "abcde"))
    assert inside[::2] == inside[1::2]


async def test_who_waited_for_another_process_acts_on_the_newest_market(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    async with another_process(database) as other:
        await other.execute("select from challenges where id = $1 for no key update", challenge)
        waiting = asyncio.create_task(act(account, "OPEN", action_id="a1", quantity="1000"))
        await waits(database)
        newest = await quotes.ingest([a_quote("EURUSD", "1.2", world.at)])
    answer = await waiting
    assert answer.fill
    assert (answer.fill.price, answer.fill.batch) == (Decimal("1.2"), newest.newest_batch)


async def test_a_unit_keeps_to_the_batch_it_looked_at(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    async with root_transaction(LockRoot.of_challenge(challenge)) as work:
        seen = work.batch
        await elsewhere(quotes.ingest([a_quote("EURUSD", "1.2", world.at)]))
        await elsewhere(_look())  # the tape runs on under this process's other tasks
        moment = work.moment
        assert work.quotes.newest == seen + 1
        assert (moment.batch, moment.at, moment.market["EURUSD"].mid) == (seen, world.at, Decimal("1.1"))
        assert work.locked_account(account).account.marked_through == seen


async def _look() -> None:
    async with transaction():
        pass


async def test_a_refusal_writes_nothing(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    before = await totals()

    async def refused_at_the_end() -> None:
        async with root_transaction(LockRoot.of_challenge(challenge)) as work:
            _leave_traces(work, challenge, account)
            await work.flush()
            raise NotFound

    with pytest.raises(NotFound):
        await refused_at_the_end()
    assert await totals() == before


async def test_events_and_jobs_are_there_with_the_commit_and_not_before(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    there = "select (select count(*) from outbox where name = 'told') + (select count(*) from jobs where kind = 'owed')"
    async with root_transaction(LockRoot.of_challenge(challenge)) as work:
        _leave_traces(work, challenge, account)
        await work.flush()
        work.new_events.clear()
        work.new_jobs.clear()
        assert await value(there) == 0
    assert await value(there) == 2


def _leave_traces(work: UnitOfWork, challenge: int, account: int) -> None:
    work.emit("told", brand="acme", challenge_id=challenge, payload={})
    work.enqueue("owed", brand="acme", challenge_id=challenge)
    held = work.locked_account(account)
    held.account = replace(held.account, high_watermark=held.account.high_watermark + 1)


async def test_a_root_that_does_not_exist_is_not_found(database: str) -> None:
    await a_world(database)
    for missing in (LockRoot.of_challenge(99), LockRoot.of_account(99)):
        with pytest.raises(NotFound):
            async with root_transaction(missing):
                pass


async def test_a_deadlock_is_busy_for_one_and_nothing_for_the_other(database: str) -> None:
    met = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        async with transaction() as work:
            await work.conn.execute("set role none")  # only a superuser may be so impatient
            await work.conn.execute("set local deadlock_timeout = '10ms'")
            await work.conn.execute("select pg_advisory_xact_lock($1)", first)
            await met.wait()
            await work.conn.execute("select pg_advisory_xact_lock($1)", second)

    ends = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)
    assert [type(end) for end in ends if end is not None] == [Locked]


async def test_models_and_statements_share_the_transaction(database: str) -> None:
    await brands.save_brand(ADMIN, name="acme", title="Acme Prop")

    async def change_and_fail() -> None:
        async with transaction() as work:
            await Brand.create(name="beta", title="Beta")
            assert await work.conn.fetchval("select count(*) from brands") == 2
            await work.conn.execute("update brands set title = 'by a statement'")
            assert {brand.title for brand in await Brand.all()} == {"by a statement"}
            raise LookupError("and nothing of it stays")

    with pytest.raises(LookupError):
        await change_and_fail()
    assert [(brand.name, brand.title) for brand in await Brand.all()] == [("acme", "Acme Prop")]


async def test_a_lock_not_had_in_time_is_busy_whoever_asks_for_it(database: str) -> None:
    await brands.save_brand(ADMIN, name="acme", title="Acme Prop")

    async def with_sql() -> None:
        async with transaction() as work:
            await work.conn.execute("set local lock_timeout = '10ms'")
            await work.conn.execute("select from brands for update")

    async def with_the_orm() -> None:
        async with transaction() as work:
            await work.conn.execute("set local lock_timeout = '10ms'")
            await Brand.filter(name="acme").select_for_update().first()

    for ask in (with_sql, with_the_orm):
        async with another_process(database) as other:
            await other.execute("select from brands for update")
            with pytest.raises(Locked) as refused:
                await ask()
            assert refused.value.facts == {"reason": "LockNotAvailableError"}, ask


async def test_a_replay_without_batches_refuses_what_needs_the_market(database: str) -> None:
    await make_replay(database)
    before = await totals()
    with pytest.raises(NoMarket):
        async with transaction() as work:
            work.emit("told", brand="acme", challenge_id=1, payload={})
    assert await totals() == before


async def test_an_action_after_the_boundary_and_before_the_next_batch_is_of_the_new_day(database: str) -> None:
    world = await a_world(database, replay=False)
    _, account = await world.buy()
    async with another_process(database) as other:  # the day's end was a moment ago
        await other.execute("update balances set day_ends_at = clock_timestamp() - interval '1 millisecond'")
    answer = await act(account, "OPEN", action_id="a1", quantity="1000")
    assert answer.status == "EXECUTED"
    ended = await rows("select number, traded from days where closed")
    assert ended == [{"number": 1, "traded": False}]
    assert await rows("select day, day_traded, days_traded from balances") == [
        {"day": 2, "day_traded": True, "days_traded": 1}
    ]
    kinds = await rows("select kind from ledger where account_id = $1 order by seq", account)
    assert [row["kind"] for row in kinds][-5:] == [
        "mark_to_market", "action_accepted", "order_placed", "fill", "position_opened",
    ]  # fmt: skip


@pytest.fixture
async def narrow_database(empty_database: str) -> AsyncIterator[str]:
    """A pool of one connection: nothing may ask for a second one, and all statements are seen on it."""
    await open_database(empty_database, pool_size=1, name="test")
    yield empty_database
    await close_database()


@contextmanager
def counted() -> Iterator[list[str]]:
    """Fills with the statements this process sends meanwhile."""
    statements: list[str] = []
    holder = pool()._holders[0]  # noqa: SLF001 - the pool clears the loggers of what it lends out itself
    with holder._con.query_logger(lambda record: statements.append(record.query)):  # noqa: SLF001
        yield statements


async def test_a_batch_of_250_takes_as_many_statements_as_one_of_1(narrow_database: str) -> None:
    world = await a_world(narrow_database)
    _, account = await world.buy()
    warm = [an_action("INCREASE" if n else "OPEN", f"warm{n}", side="SHORT") for n in range(10)]
    await actions.submit(TRADER, account, "r1", warm)  # the driver asks about the types of a long batch once
    counts = []
    for run, many in (("one", 1), ("all", 250)):
        verb = "OPEN" if many == 1 else "INCREASE"
        batch = [an_action(verb, f"{run}{n}", run=run) for n in range(many)]
        with counted() as statements:
            answers = await actions.submit(TRADER, account, run, batch)
        assert {answer.status for answer in answers} == {"EXECUTED"}, answers[0]
        counts.append(len(statements))
    assert counts[0] == counts[1], counts
    assert await value("select count(*) from fills") == 261
    await books_hold()


async def test_a_sweep_of_many_accounts_takes_as_many_statements_as_one_of_one(narrow_database: str) -> None:
    world = await a_world(narrow_database, cash=10_000)
    roots = []
    for n in range(12):
        _, challenge = await purchases.buy(CLIENT, world.program, world.wallet, f"k{n}")
        roots.append(LockRoot.of_challenge(challenge))
    await world.quote("1.1")
    for account in [row["id"] for row in await rows("select id from accounts")]:
        await act(account, "OPEN", action_id="a1", quantity="1000000")
    counts = []
    for some in (roots[:4], roots[4:5], roots[5:]):  # every one of them breaches, days and metrics written
        await quotes.ingest([a_quote("EURUSD", "1.09", world.at)])
        with counted() as statements:
            async with catch_up_many(some):
                pass
        counts.append(len(statements))
    assert counts[1] == counts[2], counts  # the driver's questions about types come with the first
    assert await value("select count(*) from breaches") == 12
    await passes.mark_shard(0)
