"""`propdesk mark-to-market --once` as a process: everything is marked, and what cannot be is passed over and told."""

import asyncio

from services import quotes
from services.ownership import Ownership
from tests.cli.commands import propdesk
from tests.services.world import a_quote, a_world, act, plant_a_breach, value


async def test_once_marks_every_account_but_the_one_that_cannot_be(database: str) -> None:
    world = await a_world(database)
    (spoilt, bad), (_, good) = await world.buy("k1"), await world.buy("k2")
    for account, size in ((bad, "1000000"), (good, "100000")):
        await act(account, "OPEN", action_id="a1", quantity=size)
    await plant_a_breach(database, spoilt)
    await quotes.ingest([a_quote("EURUSD", "1.09", world.at.replace(minute=1))])
    done = await asyncio.to_thread(propdesk, "mark-to-market", "--once", DATABASE_URL=database)
    assert "1 live accounts are marked; 1 batches were judged" in done.stdout
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(
        "1 accounts could not be marked; the ledger of each says why (mark_failed)"
    )
    equity = "select equity from balances where account_id = $1"
    assert await value(equity, good) == 100_000 - 110 - 1_000
    assert await value("select count(*) from ledger where account_id = $1 and kind = 'mark_failed'", bad) > 0


async def test_shards_that_workers_own_are_left_to_them_and_their_accounts_marked_under_their_locks(
    database: str,
) -> None:
    world = await a_world(database)
    _, account = await world.buy("k1")
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await quotes.ingest([a_quote("EURUSD", "1.09", world.at.replace(minute=1))])
    owner = Ownership(database, "worker-here-1", 30)
    try:
        await owner.keep()
        fence = await value("select fence from shards")
        done = await asyncio.to_thread(propdesk, "mark-to-market", "--once", DATABASE_URL=database)
        assert "1 live accounts are marked; 0 batches were judged" in done.stdout, done.stderr
        assert await value("select fence from shards") == fence
    finally:
        await owner.end()
    assert await value("select equity from balances") == 100_000 - 110 - 1_000
