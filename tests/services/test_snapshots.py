"""Snapshots: what a mark would give, read without a lock and without a trace."""

import asyncio
from datetime import timedelta
from decimal import Decimal

from config.database import connection
from domain.accounts import Account
from domain.snapshots import Snapshot
from services import admin, marking, quotes, snapshots
from tests.services.world import (
    EVALUATION,
    MANAGER,
    World,
    a_quote,
    a_world,
    act,
    another_process,
    changed,
    rows,
    totals,
    value,
)


async def taken(account: int) -> Snapshot:
    return (await snapshots.account_snapshots([account]))[account]


async def unseen(world: World, mid: str, after: timedelta = timedelta(minutes=1)) -> None:
    """A quote that no marker has looked at yet."""
    world.at += after
    await quotes.ingest([a_quote("EURUSD", mid, world.at)])


async def figures(account: int) -> dict[str, object]:
    """As stored."""
    [found] = await rows(
        """select b.cash, b.equity, b.unrealised, b.realised, b.fees, b.high_watermark, b.marked_through, a.read_only
        from balances b join accounts a on a.id = b.account_id where account_id = $1""",
        account,
    )
    return found


def shown(now: Snapshot) -> dict[str, object]:
    account: Account = now.account
    names = ("cash", "equity", "unrealised", "realised", "fees", "high_watermark", "marked_through", "read_only")
    return {name: getattr(account, name) for name in names}


async def written() -> tuple[dict[str, int], list[dict[str, object]]]:
    """Everything a read might have changed."""
    return await totals(), await rows("select * from balances order by account_id")


async def test_a_snapshot_shows_what_a_mark_would_give_and_writes_nothing(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await unseen(world, "1.10300")
    before = await written()
    stored = await figures(account)
    now = await taken(account)
    assert await written() == before
    assert (now.account.unrealised, stored["unrealised"]) == (Decimal(300), 0)
    seq, head = await value("select seq from balances"), await value("select head from balances")
    assert (now.seq, now.head, now.at, now.marked_through) == (seq, head, world.at, 2)
    await marking.mark_account(MANAGER, account)
    assert await figures(account) == shown(now)


async def test_what_a_mark_would_find_is_shown_before_it_is_written(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await unseen(world, "1.09000", after=timedelta(hours=13))
    before = await written()
    now = await taken(account)
    assert now.account.phase
    assert (now.account.read_only, now.account.phase.day) == (True, 2)
    assert await written() == before
    await marking.mark_account(MANAGER, account)
    assert await figures(account) == shown(now)
    assert await value("select count(*) from breaches") == 1


async def test_a_day_that_has_ended_since_the_newest_batch_is_over(database: str) -> None:
    world = await a_world(database, replay=False, steps=[changed(EVALUATION)])
    _, account = await world.buy()
    async with connection(database) as conn:
        await conn.execute("update balances set day_ends_at = marked_at")
    before = await written()
    now = await taken(account)
    assert now.account.phase
    assert (now.account.phase.day, await written()) == (2, before)
    await marking.mark_account(MANAGER, account)
    assert await value("select day from balances") == 2


async def test_nobody_waits_for_a_snapshot_and_it_waits_for_nobody(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    await unseen(world, "1.10300")
    async with another_process(database) as other:
        await other.execute("select from challenges where id = $1 for update", challenge)
        await other.execute("select from balances where account_id = $1 for update", account)
        async with asyncio.timeout(20):
            now = await taken(account)
    assert now.marked_through == 2


async def test_many_accounts_of_every_kind_are_shown_together(database: str) -> None:
    world = await a_world(database, steps=[changed(EVALUATION)])
    _, running = await world.buy()
    pending = await admin.create_account(MANAGER, mode="AUDITION", key="k1")
    ended = await admin.create_account(MANAGER, mode="AUDITION", key="k2", group="DEMO")
    await admin.start_by_hand(MANAGER, ended)
    await act(ended, "OPEN", action_id="a1", quantity="1000")
    await admin.liquidate(MANAGER, ended, "drill")
    await unseen(world, "1.2")
    found = await snapshots.account_snapshots([running, pending, ended])
    assert {one: now.account.status.name for one, now in found.items()} == {
        running: "ACTIVE",
        pending: "PENDING",
        ended: "LIQUIDATED",
    }
    assert all(now.holdings == () and now.marked_through == 2 for now in found.values())
    assert (found[pending].account.cash, found[running].account.cash) == (Decimal(0), Decimal(100_000))
