"""No accepted quote or order makes an account unusable; an unusable account can be released by hand."""

from decimal import Decimal

import pytest

from domain.errors import AccountQuarantined, Forbidden, InvalidInput
from domain.quotes import Quote
from models import quarantine as entries
from services import actions, admin, decision_context, marking, payouts, quarantine, quotes, snapshots, system
from services.checks import verify
from services.columnar.passes import Marker
from services.quote_cache import quote_cache
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
    an_action,
    another_process,
    books_hold,
    rows,
    settle,
    value,
)

ABSURD = Decimal("9e9")
WORSE = Decimal("9e13")  # which an account of 4 million euros cannot bear, and no door lets in


async def a_holder(world: World, key: str = "k1", quantity: str = "4000000", symbol: str = "EURUSD") -> int:
    _, account = await world.buy(key)
    opened = await act(account, "OPEN", action_id="a1", quantity=quantity, symbol=symbol)
    assert opened.fill, opened.refusal
    return account


async def plant(world: World, url: str, price: Decimal = WORSE) -> int:
    """A batch with an absurd quote, as an older version would have taken it in; answers its number."""
    async with another_process(url) as other:
        number: int = await other.fetchval("select max(number) + 1 from batches")
        at = await other.fetchval("select market_time + interval '1 minute' from batches order by number desc limit 1")
        await other.execute("insert into batches (number, market_time, quotes) values ($1, $2, 1)", number, at)
        for table in ("quotes", "latest_quotes"):
            await other.execute("delete from latest_quotes where symbol = 'EURUSD' and $1 = 'latest_quotes'", table)
            insert = f"insert into {table} (batch, symbol, bid, ask, source_time) values ($1, 'EURUSD', $2, $2, $3)"
            await other.execute(insert, number, price, at)
    world.at = at
    return number


async def test_an_absurd_quote_is_dropped_and_its_neighbours_and_the_account_go_on(database: str) -> None:
    world = await a_world(database, symbols=2)
    account = await a_holder(world)
    absurd = Quote("EURUSD", ABSURD, ABSURD, world.at)
    taken = await quotes.ingest([absurd, a_quote("XX01USD", "1.1001", world.at), a_quote("EURUSD", "1.1002", world.at)])
    assert (taken.accepted, taken.dropped) == (2, [("EURUSD", "OUT_OF_RANGE", 1)])
    await settle()
    assert await value("select unrealised > 0 from balances where account_id = $1", account)
    closed = await act(account, "CLOSE", action_id="a2")
    assert closed.fill
    taken = await quotes.ingest([absurd])
    assert taken.accepted == 1, "nobody holds it any more"
    await books_hold()


async def test_an_absurd_quote_that_can_be_borne_is_taken_and_stored(database: str) -> None:
    world = await a_world(database)
    await a_holder(world, quantity="1000")
    taken = await quotes.ingest([Quote("EURUSD", ABSURD, ABSURD, world.at)])
    assert taken.accepted == 1
    await settle()
    await world.quote("1.1")
    assert (await system.read_state()).quarantined == 0
    await books_hold()


async def test_an_absurd_quantity_is_refused_by_name(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    refused = await act(account, "OPEN", action_id="a1", quantity="1" + "0" * 16)
    assert refused.refusal
    assert (refused.refusal.code, refused.refusal.limit) == ("OUT_OF_RANGE", "1000000000000000")
    resting = await act(account, "OPEN", action_id="a2", quantity="1" + "0" * 16, order="LIMIT", price="0.00001")
    assert resting.refusal
    assert resting.refusal.code == "OUT_OF_RANGE"


async def test_an_account_that_cannot_be_computed_refuses_every_verb_by_name_and_stops_nobody(database: str) -> None:
    world = await a_world(database, symbols=2)
    bricked, sound = await a_holder(world), await a_holder(world, "k2", "1000", "XX01USD")
    number = await plant(world, database)
    await world.quote("1.1")
    await world.quote("1.05")
    assert [entry.account_id for entry in (await system.read_state()).quarantine] == [bricked]
    assert await value("select marked_through from balances where account_id = $1", sound) > number
    assert await value("select marked_through from balances where account_id = $1", bricked) < number
    closing = [an_action("CLOSE", "a2")]
    for verb in (
        actions.submit(TRADER, bricked, "r1", closing),
        actions.preview(TRADER, bricked, "r1", closing),
        admin.pause(MANAGER, bricked, "why"),
        admin.lock(MANAGER, bricked, "why"),
        admin.liquidate(MANAGER, bricked, "why"),
        admin.complete(MANAGER, bricked),
        marking.mark_account(MANAGER, bricked),
        payouts.request_payout(CLIENT, 1, key="p1"),
        snapshots.account_snapshots([bricked]),
        decision_context.account_context(bricked),
        quarantine.release_by_hand(MANAGER, bricked, "why"),
    ):
        with pytest.raises(AccountQuarantined, match=f"account {bricked}.*NotStorable"):
            await verb
    both = await decision_context.account_contexts([bricked, sound])
    assert isinstance(both[bricked], AccountQuarantined)
    assert not isinstance(both[sound], AccountQuarantined)
    found = [one for one in await verify.check_books() if one.check == "no account is in quarantine"]
    assert [one.subject for one in found] == [f"account {bricked}"]
    assert "NotStorable: high_watermark is 3.6" in found[0].message
    noted = await rows("select account_id from ledger where kind = 'mark_failed'")
    assert [row["account_id"] for row in noted] == [bricked], "noted once"
    await world.quote("1.1", symbol="XX01USD")
    assert (await act(sound, "CLOSE", action_id="a2", symbol="XX01USD")).fill


async def test_after_a_correction_it_is_judged_by_every_batch_and_released(database: str) -> None:
    world = await a_world(database)
    bricked = await a_holder(world)
    number = await plant(world, database)
    await world.quote("1.11")
    with pytest.raises(AccountQuarantined):
        await quarantine.release_by_hand(MANAGER, bricked, "not yet")
    async with another_process(database) as other:
        await other.execute("update quotes set bid = 1.101, ask = 1.101 where batch = $1", number)
    quote_cache().__init__()  # type: ignore[misc] # as after a restart
    await quarantine.release_by_hand(MANAGER, bricked, "the quote of that minute was corrected")
    assert (await system.read_state()).quarantined == 0
    assert await value("select marked_through = (select max(number) from batches) from balances where account_id = $1",
                       bricked)  # fmt: skip
    [noted] = await rows("select reason, before, after from audit where operation = 'releaseQuarantine'")
    assert noted["reason"] == "the quote of that minute was corrected"
    await quarantine.release_by_hand(MANAGER, bricked, "again")
    assert await value("select count(*) from audit where operation = 'releaseQuarantine'") == 1, "it was out already"
    await world.quote("1.12")
    await books_hold()


async def test_batches_that_cannot_be_corrected_are_passed_over_on_request(database: str) -> None:
    world = await a_world(database)
    bricked = await a_holder(world)
    number = await plant(world, database)
    await world.quote("1.11")
    await quarantine.release_by_hand(MANAGER, bricked, "a quote of a broken feed", pass_over=True)
    state = await rows("select marked_through, high_watermark from balances where account_id = $1", bricked)
    assert state[0]["marked_through"] > number
    assert state[0]["high_watermark"] < 1_000_000
    assert (await system.read_state()).quarantined == 0
    await world.quote("1.12")
    assert (await act(bricked, "CLOSE", action_id="a2")).fill
    Marker(0).forget()
    await Marker(0).drain()
    await books_hold()


async def test_only_staff_releases_and_says_why(database: str) -> None:
    world = await a_world(database)
    account = await a_holder(world)
    with pytest.raises(Forbidden):
        await quarantine.release_by_hand(TRADER, account, "please")
    with pytest.raises(InvalidInput):
        await quarantine.release_by_hand(MANAGER, account, " ")
    async with read_connection() as conn:
        await entries.quarantine_account(conn, account, 1, "ValueError", "of yesterday")
    await quarantine.release_by_hand(ADMIN, account, "it can be computed")
    assert (await system.read_state()).quarantined == 0
