"""The marker, pass by pass: changes between its reads and its writes, and accounts that it cannot mark."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from config.database import connection
from config.settings import settings
from domain.errors import AccountQuarantined, NotFound
from domain.instruments import Instrument
from models.columnar import marks as stored
from services import instruments, marking, ownership, purchases, quotes, system
from services.columnar import passes
from services.columnar.passes import Marker
from services.jobs import work_queue
from services.principals import Principal, Role
from services.quote_cache import QuoteCache
from services.unit_of_work.openings import transaction
from services.unit_of_work.reads import read_connection
from tests.services.world import (
    ADMIN,
    CLIENT,
    MANAGER,
    TRADER,
    World,
    a_quote,
    a_world,
    act,
    books_hold,
    elsewhere,
    forget_breaches,
    plant_a_breach,
    rows,
    settle,
    value,
)

MILLION = "1000000"


def after_look(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Awaitable[Any]]) -> None:
    """Let something happen elsewhere, once, when the marker has read what changed, before it passes the batches."""
    touched = stored.touched_accounts

    async def looked_too_early(*args: Any) -> Any:
        found = await touched(*args)
        monkeypatch.setattr(stored, "touched_accounts", touched)
        await elsewhere(happens())  # type: ignore[arg-type]
        return found

    monkeypatch.setattr(stored, "touched_accounts", looked_too_early)


def before(monkeypatch: pytest.MonkeyPatch, name: str, happens: Callable[[], Awaitable[Any]]) -> None:
    """Let something happen elsewhere, once, just before the marker's statement of that name."""
    statement, pending = getattr(stored, name), [happens]

    async def interrupted(*args: Any) -> Any:
        if pending:
            await elsewhere(pending.pop()())  # type: ignore[arg-type]
        return await statement(*args)

    monkeypatch.setattr(stored, name, interrupted)


async def _ingest(world: World, **mids: str) -> None:
    world.at += timedelta(seconds=10)
    await quotes.ingest([a_quote(symbol, mid, world.at) for symbol, mid in mids.items()])


async def _look() -> None:
    """Some task of this process reads what is new on the tape."""
    async with transaction():
        pass


async def _equity(account: int) -> Decimal:
    found: Decimal = await value("select equity from balances where account_id = $1", account)
    return found


async def test_an_action_that_commits_between_the_markers_read_and_its_write_is_not_lost(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity=MILLION)
    await _ingest(world, EURUSD="1.099")
    before(monkeypatch, "write_marks", lambda: act(account, "CLOSE", action_id="a2"))
    await passes.mark_shard(0)
    assert await value("select count(*) from fills where verb = 'CLOSE'") == 1
    assert await rows("select unrealised, cash = equity as flat from balances") == [{"unrealised": 0, "flat": True}]
    await _ingest(world, EURUSD="1.05")
    await passes.mark_shard(0)
    assert await value("select count(*) from breaches") == 0, "it holds nothing any more"
    await books_hold()


async def test_a_mark_computed_from_before_an_action_is_not_written_over_it(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await passes.mark_shard(0)

    async def closes() -> None:
        await act(account, "CLOSE", action_id="a2")
        await _ingest(world, EURUSD="1.101")  # the account has not seen it, so only its version tells
        await _look()

    after_look(monkeypatch, closes)
    await passes.mark_shard(0)
    assert await rows("select unrealised, cash = equity as flat from balances") == [{"unrealised": 0, "flat": True}]
    await books_hold()


async def test_a_marker_whose_quotes_are_older_than_an_account_waits_until_they_have_come_up_to_it(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(database, symbols=2)
    _, account = await world.buy()
    mine = QuoteCache()
    monkeypatch.setattr(passes, "quote_cache", lambda: mine)  # the marker is in a process of its own
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await passes.mark_shard(0)

    async def trades() -> None:
        await _ingest(world, EURUSD="1.101", XX01USD="1.102")
        await act(account, "OPEN", action_id="a2", symbol="XX01USD", quantity="100000")

    before(monkeypatch, "touched_accounts", trades)
    await passes.mark_shard(0)
    await _ingest(world, XX01USD="1.103")
    await passes.mark_shard(0)
    assert await _equity(account) == Decimal(100_000) - Decimal(110) - Decimal("110.2") + 100 + 100
    await books_hold()


async def test_an_account_that_starts_while_a_pass_is_under_way_misses_no_batch(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(database)
    _, challenge = await purchases.buy(CLIENT, world.program, world.wallet, "k1")

    async def starts() -> None:
        await work_queue.do_jobs()
        await act(await world.account(challenge), "OPEN", action_id="a1", quantity=MILLION)
        await _ingest(world, EURUSD="1.09")
        await _look()  # so that the pass is over this batch, too

    after_look(monkeypatch, starts)
    await passes.mark_shard(0)
    assert await value("select batch from breaches") == 2
    await settle()
    await books_hold()


async def test_a_breach_that_the_next_quote_heals_before_anybody_looks_is_found(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity=MILLION)
    for mid in ("1.09", "1.1", "1.12"):
        await _ingest(world, EURUSD=mid)
    await settle()
    assert await rows("select rule, batch from breaches") == [{"rule": "MAX_TOTAL_LOSS", "batch": 2}]
    assert await value("select status from challenges where id = $1", challenge) == 3
    await books_hold()


async def test_a_row_that_somebody_holds_keeps_none_of_the_others_from_being_written(database: str) -> None:
    world = await a_world(database, cash=10_000)
    held = [(await world.buy(f"k{n}"))[1] for n in range(5)]
    first, *_, last = held  # so few of so many are looked up one by one
    for account in (first, last):
        await act(account, "OPEN", action_id="a1", quantity="100000")
    await passes.mark_shard(0)
    async with connection(database) as other:
        holding = other.transaction()
        await holding.start()
        await other.execute("select from balances where account_id = $1 for no key update", first)
        await _ingest(world, EURUSD="1.101")
        draining = asyncio.create_task(Marker(0).drain())
        async with asyncio.timeout(20):
            while await _equity(last) == 99_890:
                await asyncio.sleep(0.01)
        assert await _equity(first) == 99_890
        assert not draining.done()
        await holding.rollback()
        await draining
    assert [await _equity(account) for account in (first, last)] == [99_990, 99_990]
    await _ingest(world, EURUSD="1.102")
    await passes.mark_shard(0)
    assert [await _equity(account) for account in (first, last)] == [100_090, 100_090]
    await books_hold()


async def test_what_others_write_is_told_however_long_they_take_to_commit_it(database: str) -> None:
    world = await a_world(database)
    slow, quick = [(await world.buy(key))[1] for key in ("k1", "k2")]
    touch = "update balances set touched = pg_current_xact_id() where account_id = $1"

    async def told(since: str) -> set[int]:
        async with read_connection() as conn:
            return {account for account, _, _ in await stored.touched_accounts(conn, since, 1, 0)}

    async def horizon() -> str:
        async with read_connection() as conn:
            return await stored.snapshot_horizon(conn)

    async def settled() -> str:
        async with asyncio.timeout(20):
            while await told(now := await horizon()):  # the server's: what runs in other databases holds it back
                await asyncio.sleep(0.01)
        return now

    async with connection(database) as other, connection(database) as another:
        began, holding = await settled(), other.transaction()
        await holding.start()
        await other.execute(touch, slow)
        await another.execute(touch, quick)
        assert await told(began) == {quick}
        then = await horizon()
        await holding.commit()
        assert slow in await told(then)
        await settled()
        await another.execute("update balances set touched = '9000000000000000000' where account_id = $1", slow)
        assert await told(began) == {quick}, "such a number came from another server, with a backup"


async def test_two_markers_at_once_mark_every_account_as_one_would(database: str) -> None:
    world = await a_world(database, cash=10_000)
    held = [(await world.buy(f"k{n}"))[1] for n in range(8)]
    for n, account in enumerate(held):
        await act(account, "OPEN", action_id="a1", quantity=str(10_000 * (n + 1)))
    both = Marker(0), Marker(0)
    for n in range(12):
        await _ingest(world, EURUSD=f"1.10{n:02}")
        if n % 3 == 0:
            await act(held[n % 8], "REDUCE", action_id=f"b{n}", fraction="0.5")
        await asyncio.gather(*(marker.drain() for marker in both))
    await books_hold()
    assert await value("select count(*) from balances where live and marked_through < 12") == 0
    assert await value("select count(*) = count(distinct (account_id, market_time)) from metrics")


async def test_an_account_that_cannot_be_marked_is_noted_once_and_the_others_go_on(database: str) -> None:
    world = await a_world(database)
    spoilt, bad = await world.buy("k1")
    sound, good = await world.buy("k2")
    for account in (bad, good):
        await act(account, "OPEN", action_id="a1", quantity=MILLION)
    await plant_a_breach(database, spoilt)
    await _ingest(world, EURUSD="1.09")
    await settle()
    assert await value("select status from challenges where id = $1", sound) == 3
    assert await value("select count(*) from positions where status = 'OPEN' and account_id = $1", good) == 0
    noted = "select facts->>'error' as error from ledger where account_id = $1 and kind = 'mark_failed'"
    assert await rows(noted, bad) == [{"error": "UniqueViolationError"}]
    for mid in ("1.08", "1.07"):
        await _ingest(world, EURUSD=mid)
        await settle()
    assert len(await rows(noted, bad)) == 1, "until it changes it is left out"
    assert (await system.read_state()).evaluated_through == 4

    await forget_breaches(database, spoilt)
    await act(bad, "OPEN", action_id="a2", symbol="GBPUSD", quantity="1000")
    await settle()
    assert await value("select status from challenges where id = $1", spoilt) == 3
    assert await value("select batch from breaches where challenge_id = $1", spoilt) == 2, (
        "judged from where it was left"
    )
    await books_hold()


async def test_a_changed_instrument_is_taken_up_without_losing_a_batch(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await _ingest(world, EURUSD="1.101")
    await passes.mark_shard(0)
    await instruments.save_instrument(ADMIN, Instrument("XAUUSD", "XAU", "USD", 2, Decimal("0.01"), Decimal("0.01")))
    await _ingest(world, EURUSD="1.102", XAUUSD="2000")
    await passes.mark_shard(0)
    assert await _equity(account) == Decimal(100_000) - 110 + 200
    assert (await system.read_state()).evaluated_through == 3
    await books_hold()


async def test_each_shard_marks_its_own_and_the_slowest_counts(database: str) -> None:
    await ownership.set_shard_count(2)
    world = await a_world(database)
    await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    await purchases.buy(CLIENT, world.program, world.wallet, "k2")
    await settle()
    for account in (100_001, 100_002):
        await act(account, "OPEN", action_id="a1", quantity=MILLION)
    await passes.mark_shard(1)
    await _ingest(world, EURUSD="1.09")
    await passes.mark_shard(0)
    assert await rows("select account_id from breaches") == [{"account_id": 100_002}]
    assert (await system.read_state()).evaluated_through == 1
    await passes.mark_shard(1)
    assert await value("select count(*) from breaches") == 2
    await settle()
    assert (await system.read_state()).evaluated_through == 2
    await books_hold()


async def test_one_account_or_all_of_them_can_be_marked_by_hand(database: str) -> None:
    world = await a_world(database)
    held = [(await world.buy(key))[1] for key in ("k1", "k2")]
    for account in held:
        await act(account, "OPEN", action_id="a1", quantity="100000")
    await _ingest(world, EURUSD="1.101")
    for stranger in (Principal(9, "m", Role.MANAGER, "other"), Principal(9, "a", Role.CLIENT, "acme", "bob")):
        with pytest.raises(NotFound):
            await marking.mark_account(stranger, held[0])
    await marking.mark_account(TRADER, held[0])
    assert [await _equity(account) for account in held] == [99_990, 99_890]
    assert await marking.mark_all() == marking.Marked(accounts=2, failed=0)
    assert [await _equity(account) for account in held] == [99_990, 99_990]
    await books_hold()


async def test_marked_by_hand_too_what_fails_is_noted_and_passed_over(database: str) -> None:
    world = await a_world(database)
    spoilt, bad = await world.buy("k1")
    sound, good = await world.buy("k2")
    for account in (bad, good):
        await act(account, "OPEN", action_id="a1", quantity=MILLION)
    await plant_a_breach(database, spoilt)
    await _ingest(world, EURUSD="1.09")
    with pytest.raises(AccountQuarantined):
        await marking.mark_account(MANAGER, bad)
    assert await marking.mark_all(ADMIN) == marking.Marked(accounts=1, failed=1)
    assert await value("select status from challenges where id = $1", sound) == 3
    noted = "select count(*) from ledger where account_id = $1 and kind = 'mark_failed'"
    assert await value(noted, bad) == 1, "the same failure of the same version is noted once"
    assert await value("select count(*) from ledger where account_id = $1 and kind = 'mark_failed'", good) == 0
    noted = "select after::text from audit where operation like 'mark%'"
    assert await value(noted) == '{"batch": 2, "failed": 1, "accounts": 1}'


async def test_a_batch_that_comes_while_marks_are_written_is_judged_before_the_rest_of_them(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    always = settings().replace(mark_persist_seconds=0)
    monkeypatch.setattr(passes, "settings", lambda: always)
    monkeypatch.setattr(passes, "PERSISTED_AT_ONCE", 1)
    world = await a_world(database)
    held = [(await world.buy(key))[1] for key in ("k1", "k2", "k3")]
    for account in held:
        await act(account, "OPEN", action_id="a1", quantity="100000")
    await _ingest(world, EURUSD="1.1005")
    await passes.mark_shard(0)  # which writes what was due, too
    write, written = stored.write_marks, list[tuple[int, int]]()

    async def listened(conn: Any, prepared: Any) -> Any:
        written.extend(zip(prepared.marks.id.tolist(), prepared.marks.marked_through.tolist(), strict=True))
        return await write(conn, prepared)

    monkeypatch.setattr(stored, "write_marks", listened)
    await _ingest(world, EURUSD="1.101")
    before(monkeypatch, "write_marks", lambda: _ingest(world, EURUSD="1.102"))
    await passes.mark_shard(0)
    first, second, third = held
    assert written == [(first, 3), (second, 4), (third, 4), (first, 4)]
    assert [await _equity(account) for account in held] == [100_090] * 3
    await books_hold()
