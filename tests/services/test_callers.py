"""What a caller gets of the pool, how long its document may take, and what ends with it: against the database."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from config.database import close_database, connection, low_pool, open_database, pool
from config.priority import NICENESS
from config.settings import settings
from domain.errors import CallerGone, Locked, TimeLimit
from models.tables.brands import Brand
from services import callers, system, tokens
from services.admission import admission
from services.callers import Caller, acting_for
from services.connections import control
from services.unit_of_work.openings import root_transaction, transaction
from services.unit_of_work.reads import read_connection
from services.unit_of_work.roots import LockRoot
from tests.services.world import a_world, value

ASLEEP = "select count(*) from pg_stat_activity where datname = current_database() and state = 'active' and query = $1"
SLEEP = "select pg_sleep(60)"


@pytest.fixture(autouse=True)
def quick_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "LOOK_SECONDS", 0.01)


@pytest.fixture(autouse=True)
def four(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bearer has four connections, however long it uses them."""
    given = settings().replace(pool_share_bearer=0.4, database_share_bearer=1e9, database_share_brand=1e9)
    monkeypatch.setattr("services.admission.settings", lambda: given)


@asynccontextmanager
async def outside(url: str) -> AsyncIterator[Callable[[int], "asyncio.Future[None]"]]:
    """Wait until so many of this database's connections are asleep."""
    async with connection(url) as conn:

        async def sleep(many: int) -> None:
            async with asyncio.timeout(20):
                while await conn.fetchval(ASLEEP, SLEEP) != many:
                    await conn.execute("select pg_stat_clear_snapshot()")

        yield lambda many: asyncio.ensure_future(sleep(many))


async def sleep_for(caller: Caller) -> None:
    with acting_for(caller):
        async with read_connection() as conn:
            await conn.fetchval(SLEEP)


async def test_a_bearer_takes_its_share_of_the_pool_and_others_go_on(database: str) -> None:
    async with outside(database) as asleep:
        greedy = [asyncio.create_task(sleep_for(Caller("eve", "rivals", 60))) for _ in range(12)]
        await asleep(4)
        for other in ("bob", "carol"):
            with acting_for(Caller(other, "acme", 60)):
                async with read_connection() as conn:
                    assert await conn.fetchval("select 1") == 1
        more = [asyncio.create_task(sleep_for(Caller(f"eve{n}", "rivals", 60))) for n in range(5)]
        await asleep(7)
        with acting_for(Caller("bob", "acme", 60)):
            async with transaction() as work:
                assert await work.conn.fetchval("select 1") == 1
        for task in (*greedy, *more):
            task.cancel()
        await asyncio.gather(*greedy, *more, return_exceptions=True)
        await asleep(0)


async def test_however_full_the_pool_is_the_desk_gives_signs_of_life_and_knows_tokens(database: str) -> None:
    text = await tokens.create_token(role="ADMIN", brand=None, name="admin")
    taken = [await pool().acquire() for _ in range(10)]
    try:
        async with asyncio.timeout(20):
            principal = await tokens.authenticate(text)
            assert principal
            assert await tokens.ended([principal.token_id]) == set()
            assert not await tokens.is_brand("acme")
            assert (await system.read_figures()).migrated
    finally:
        for conn in taken:
            await pool().release(conn)


async def test_many_that_look_whether_the_desk_is_ready_take_one_connection(database: str) -> None:
    async with control() as one, control() as other:
        assert await one.fetchval("select 1") == await other.fetchval("select 1") == 1
        async with asyncio.timeout(20):
            figures = await asyncio.gather(*(system.read_figures() for _ in range(20)))
    assert len({id(one) for one in figures}) <= 2, "one reading for all that asked before it began"


async def test_a_document_whose_time_is_over_is_refused_and_its_statements_end_in_the_server(database: str) -> None:
    async with outside(database) as asleep:
        caller = Caller("alice", "acme", 0.1)
        with acting_for(caller):
            caller.begin(mutates=False)
            reads = [asyncio.create_task(sleep_for_bound()) for _ in range(6)]  # two of them wait for a connection
            ended = await asyncio.gather(*reads, return_exceptions=True)
            assert [type(one) for one in ended] == [TimeLimit] * 6
            assert "seconds max 0.1" in str(ended[0])
            with pytest.raises(TimeLimit):
                async with read_connection():
                    pass
        await asleep(0)
    assert await value("select 1") == 1
    async with read_connection() as conn:
        assert not conn.is_in_transaction()


async def sleep_for_bound() -> None:
    async with read_connection() as conn:
        await conn.fetchval(SLEEP)


async def test_a_caller_that_goes_away_ends_its_reads_in_the_server(database: str) -> None:
    async with outside(database) as asleep:
        caller = Caller("alice", "acme", 60)
        with acting_for(caller):
            caller.begin(mutates=False)
            read = asyncio.create_task(sleep_for_bound())
            await asleep(1)
            assert caller.leave()
            with pytest.raises(CallerGone):
                await read
        await asleep(0)


async def test_a_mutation_that_has_begun_its_transaction_is_finished_and_read_back_and_the_next_is_refused(
    database: str,
) -> None:
    caller = Caller("alice", "acme", 60)
    with acting_for(caller):
        caller.begin(mutates=True)
        assert not caller.leave(), "nobody waits for it, and it goes on"
        caller.begin_field()
        async with transaction():
            await Brand.create(name="acme", title="Acme")
            caller.stop(TimeLimit)
        async with read_connection() as conn:
            assert await conn.fetchval("select title from brands") == "Acme"
        caller.begin_field()
        with pytest.raises(TimeLimit):
            async with transaction():
                raise AssertionError("it has begun")


async def test_a_mutation_that_waits_for_its_root_is_stopped_before_it_has_done_anything(database: str) -> None:
    world = await a_world(database)
    challenge, _ = await world.buy()
    caller = Caller("alice", "acme", 0.1)

    async def change() -> None:
        with acting_for(caller):
            caller.begin(mutates=True)
            async with root_transaction(LockRoot.of_challenge(challenge)):
                raise AssertionError("it has begun")

    async with root_transaction(LockRoot.of_challenge(challenge)):
        with pytest.raises(TimeLimit):
            await change()
    async with root_transaction(LockRoot.of_challenge(challenge)) as work:
        assert work.locked_accounts, "and nobody is kept from the root afterwards"


async def test_those_that_wait_for_a_root_hold_no_place_of_their_bearers_share(database: str) -> None:
    """Else the one that has the root would wait for a place that they hold."""
    world = await a_world(database)
    challenge, _ = await world.buy()
    alice = [Caller("alice", "acme", 60) for _ in range(12)]

    async def change(caller: Caller) -> None:
        with acting_for(caller):
            async with root_transaction(LockRoot.of_challenge(challenge)):
                pass
            async with read_connection() as conn:
                await conn.fetchval("select 1")

    async with asyncio.timeout(20):
        await asyncio.gather(*(change(caller) for caller in alice))


async def test_a_task_that_others_cancel_is_cancelled_and_not_refused(database: str) -> None:
    async with outside(database) as asleep:
        caller = Caller("alice", "acme", 60)
        with acting_for(caller):
            read = asyncio.create_task(sleep_for_bound())
            await asleep(1)
            caller.stop(CallerGone)
            read.cancel()
            with pytest.raises(asyncio.CancelledError):
                await read
        await asleep(0)


async def test_a_change_that_waits_too_long_for_a_lock_is_locked(database: str) -> None:
    await Brand.create(name="acme", title="Acme")
    async with connection(database) as other, other.transaction():
        await other.execute("select from brands for update")

        async def change() -> None:
            async with transaction() as work:
                await work.conn.execute("set local lock_timeout = '50ms'")
                await work.conn.execute("update brands set title = 'Another'")

        with pytest.raises(Locked):
            await change()


async def test_a_statement_of_a_change_that_takes_too_long_is_a_time_limit_and_nothing_is_done(database: str) -> None:
    await Brand.create(name="acme", title="Acme")

    async def change() -> None:
        async with transaction() as work:
            await work.conn.execute("update brands set title = 'Another'")
            await work.conn.execute("set local statement_timeout = '50ms'")
            await work.conn.execute(SLEEP)

    with pytest.raises(TimeLimit, match="seconds max 30"):
        await change()
    assert await value("select title from brands") == "Acme"


async def test_reads_of_a_bearer_over_its_share_run_behind_others_and_its_transactions_do_not(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.admission.settings", settings)
    await open_database(empty_database, pool_size=10, name="test", shared=True)
    try:
        if low_pool() is None:
            pytest.skip("this process may not change how the server's processes are scheduled")
        assert await niceness("bob", read_connection) == 0, "alone"
        assert await niceness("eve", read_connection) == NICENESS, "nothing is known of it, and another asks"
        assert await niceness("eve", read_connection) == 0, "it was quick"
        shares = admission()
        assert shares.averages
        shares.averages = replace(shares.averages, bearer=1e-9)
        assert await niceness("eve", read_connection) == NICENESS, "over its share"
        assert await niceness("eve", transaction) == 0, "it may hold what others wait for"
    finally:
        await close_database()


async def niceness(bearer: str, opening: Callable[[], AbstractAsyncContextManager[Any]]) -> int:
    """How the server's process of a connection is scheduled that the bearer gets."""
    with acting_for(Caller(bearer, bearer, 60)):
        async with opening() as given:
            conn = given.conn if opening is transaction else given
            return os.getpriority(os.PRIO_PROCESS, await conn.fetchval("select pg_backend_pid()"))
