"""Orders that rest: kept in the database between quotes, filled by whoever looks, cancelled by their owner."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import InvalidInput, InvalidTransition, NotFound
from services import actions, orders, quotes
from services.columnar import passes
from services.principals import Principal, Role
from tests.services.world import (
    CLIENT,
    MANAGER,
    TRADER,
    WIDE,
    World,
    a_quote,
    a_world,
    act,
    an_action,
    books_hold,
    rows,
    settle,
    totals,
    value,
)

BRACKET = {"stop_loss": "1.08", "take_profit": "1.12"}


async def told(account: int) -> list[tuple[str, str, Any]]:
    """The account's orders: type, status, and why they ended."""
    kept = await rows(
        "select type, status, outcome ->> 'reason' as why from orders where account_id = $1 order by seq", account
    )
    return [(row["type"], row["status"], row["why"]) for row in kept]


async def rests(account: int, name: str = "a1", price: str = "1.09", **given: str) -> int:
    """Place a limit order that rests; answers its name within the account."""
    placed = await act(account, "OPEN", action_id=name, quantity="1000", order="LIMIT", price=price, **given)
    assert placed.status == "WORKING"
    assert placed.order_seq
    return placed.order_seq


async def test_an_entry_rests_is_filled_protected_and_closed_by_the_quotes(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    seq = await rests(account, **BRACKET)
    assert await told(account) == [("LIMIT", "WORKING", None)]
    again = await act(account, "OPEN", action_id="a1", quantity="1000", order="LIMIT", price="1.09", **BRACKET)
    assert (again.replayed, again.status, again.order_seq, again.fill) == (True, "WORKING", seq, None)
    assert again.order
    assert (again.order.type, again.order.status, again.order.price) == ("LIMIT", "WORKING", Decimal("1.09"))

    await world.quote("1.0901")
    assert await value("select count(*) from fills") == 0
    await world.quote("1.089")
    working = [("STOP_LOSS", "WORKING", None), ("TAKE_PROFIT", "WORKING", None)]
    assert await told(account) == [("LIMIT", "FILLED", None), *working]
    again = await act(account, "OPEN", action_id="a1", quantity="1000", order="LIMIT", price="1.09", **BRACKET)
    assert again.order
    assert again.fill
    assert (again.status, again.order.status, again.fill.price) == ("WORKING", "FILLED", Decimal("1.089"))

    await world.quote("1.125")
    assert await told(account) == [
        ("LIMIT", "FILLED", None), ("STOP_LOSS", "CANCELLED", "POSITION_CLOSED"), ("TAKE_PROFIT", "FILLED", None),
    ]  # fmt: skip
    assert await value("select count(*) from positions where status = 'OPEN'") == 0
    assert await value("select realised from balances where account_id = $1", account) == 36
    await books_hold()


async def test_a_triggered_order_that_a_gate_stops_keeps_the_reason(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    await rests(account)
    await act(account, "OPEN", action_id="a2", quantity="1000")
    await world.quote("1.089")
    [order] = await rows("select status, outcome::jsonb as outcome from orders where type = 'LIMIT'")
    assert order["status"] == "REJECTED"
    assert '"code": "POSITION_EXISTS"' in order["outcome"]
    assert '"ask": "1.08901"' in order["outcome"]
    assert await value("select count(*) from ledger where kind = 'order_rejected'") == 1
    await books_hold()


async def test_a_verdict_cancels_what_rests_in_its_own_transaction(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000", take_profit="1.2")
    await quotes.ingest([a_quote("GBPUSD", "1.3", world.at)])
    await rests(account, "a3", "1.2", symbol="GBPUSD")
    await quotes.ingest([a_quote("EURUSD", "1.04", world.at + timedelta(seconds=1))])
    await passes.mark_shard(0)
    assert await value("select status from challenges where id = $1", challenge) == 3
    assert await told(account) == [
        ("MARKET", "FILLED", None), ("TAKE_PROFIT", "CANCELLED", "PHASE_ENDED"), ("LIMIT", "CANCELLED", "PHASE_ENDED"),
    ]  # fmt: skip
    assert await value("select count(*) from ledger where kind = 'order_cancelled'") == 2
    await settle()
    await books_hold()


async def test_an_order_is_cancelled_by_whoever_trades_the_account_and_audited_for_the_desk(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    names = [await rests(account, f"a{n}", price) for n, price in enumerate(("1.09", "1.08", "1.07"))]
    for principal, seq, reason in zip((TRADER, CLIENT, MANAGER), names, (None, "later", "by phone"), strict=True):
        await orders.cancel_order(principal, account, seq, reason)
    assert [why for _, _, why in await told(account)] == ["REQUESTED"] * 3
    shown = "select outcome ->> 'shown' as words from orders where account_id = $1 order by seq"
    assert [row["words"] for row in await rows(shown, account)] == [None, "later", None]
    cancelled = await rows("select facts ->> 'order' as name from ledger where kind = 'order_cancelled' order by seq")
    assert [row["name"] for row in cancelled] == [str(seq) for seq in names]
    [audited] = await rows("select operation, object_id, reason from audit where operation = 'cancelOrder'")
    assert (audited["operation"], audited["object_id"], audited["reason"]) == (
        "cancelOrder", f"{account}-{names[2]}", "by phone",
    )  # fmt: skip
    await world.quote("1.05")
    assert await value("select count(*) from fills") == 0
    await books_hold()


async def test_an_order_that_has_ended_is_not_cancelled(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    seq = await rests(account)
    await quotes.ingest([a_quote("EURUSD", "1.08", world.at + timedelta(seconds=1))])  # nobody has looked yet
    with pytest.raises(InvalidTransition) as refused:
        await orders.cancel_order(TRADER, account, seq)
    assert refused.value.facts["current"] == "FILLED"
    await settle()
    before = await totals()
    gone = await act(account, "OPEN", action_id="a2", side="SHORT", quantity="1000", order="LIMIT", price="1.2")
    assert gone.order_seq
    await orders.cancel_order(TRADER, account, gone.order_seq)
    for name, current in ((seq, "FILLED"), (gone.order_seq, "CANCELLED")):
        with pytest.raises(InvalidTransition) as refused:
            await orders.cancel_order(TRADER, account, name)
        assert refused.value.facts["current"] == current
    assert (await totals())["fills"] == before["fills"] == 1


async def test_an_order_out_of_reach_is_not_found_like_a_missing_one(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    seq = await rests(account)
    before = await totals()
    strangers = [
        (Principal(9, "desk", Role.MANAGER, "other"), seq),
        (Principal(9, "app", Role.CLIENT, "acme", "bob"), seq),
        (Principal(9, "bot", Role.TRADER, "acme", scope={"accounts": [account + 1]}), seq),
        (TRADER, seq - 1),  # the row of its action
        (TRADER, 999),
    ]
    for principal, name in strangers:
        with pytest.raises(NotFound) as missing:
            await orders.cancel_order(principal, account, name)
        assert missing.value.field == "orderId"
    with pytest.raises(NotFound):
        await orders.cancel_order(TRADER, account + 1, seq)
    for reason in ("", "x" * 201, "a\0"):
        with pytest.raises(InvalidInput):
            await orders.cancel_order(TRADER, account, seq, reason)
    assert await totals() == before


async def heads() -> list[dict[str, Any]]:
    """What every account has come to."""
    return await rows("select * from balances order by account_id")


PREVIEWED = [
    an_action(action_id="p1", quantity="2000", stop_loss="1.08"),
    an_action("INCREASE", "p2", notional="2200"),
    an_action(action_id="p3", side="SHORT", order="LIMIT", price="1.2", take_profit="1.1"),
    an_action("REDUCE", "p4", quantity="999999"),
    an_action(action_id="p5", symbol="GBPUSD"),
    an_action("CLOSE", "p6"),
]


async def _submitted_before(world: World) -> int:
    """An account whose order the newest quote, which nobody has looked at, reaches."""
    _, account = await world.buy()
    await act(account, "OPEN", action_id="p0", side="SHORT", quantity="1000", order="LIMIT", price="1.101")
    await quotes.ingest([a_quote("EURUSD", "1.102", world.at + timedelta(seconds=1))])
    return account


async def test_a_preview_writes_nothing_and_answers_what_submitting_then_does(database: str) -> None:
    world = await a_world(database, policy=WIDE | {"fee_bps": Decimal(10)})
    account = await _submitted_before(world)
    tables, accounts = await totals(), await heads()
    shown = await actions.preview(TRADER, account, "r1", PREVIEWED)
    assert (await totals(), await heads()) == (tables, accounts)

    results = await actions.submit(TRADER, account, "r1", PREVIEWED)
    assert [r.seq for r in shown.results] == [None] * 6
    for seen, done in zip(shown.results, results, strict=True):
        assert (seen.status, seen.refusal, seen.quote, seen.fill, seen.order) == (
            done.status, done.refusal, done.quote, done.fill, done.order,
        )  # fmt: skip
    assert [r.refusal.code if r.refusal else r.status.value for r in results] == [
        "EXECUTED", "EXECUTED", "POSITION_EXISTS", "EXCEEDS_POSITION", "PRICE_MISSING", "EXECUTED",
    ]  # fmt: skip
    [after] = await rows("select cash, equity, unrealised, fees from balances where account_id = $1", account)
    left = shown.after.account
    assert (left.cash, left.equity, left.unrealised, left.fees) == tuple(after.values())
    assert [(h.position.symbol, h.position.side, h.position.quantity) for h in shown.after.holdings] == [
        ("EURUSD", "SHORT", Decimal(1000))
    ]
    assert (shown.after.exposure.gross, left.orders) == (Decimal(1102), {})
    assert (shown.after.seq, shown.after.head) == (accounts[0]["seq"], accounts[0]["head"])
    await books_hold()


async def test_a_preview_of_what_was_answered_is_the_answer_and_bad_ones_are_refused_alike(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    done = await act(account, "OPEN", action_id="a1", quantity="1000")
    again, other = an_action(quantity="1000"), an_action("CLOSE")
    for proposed, code in ((again, None), (other, "IDEMPOTENCY_CONFLICT")):
        shown = await actions.preview(CLIENT, account, "r1", [proposed])
        [result] = shown.results
        assert (result.refusal.code if result.refusal else None) == code
        assert (result.replayed, result.seq) == ((True, done.seq) if code is None else (False, None))
    with pytest.raises(InvalidInput):
        await actions.preview(TRADER, account, "r1", [])
    with pytest.raises(InvalidInput):
        await actions.preview(TRADER, account, "r1", [an_action(action_id=f"a{n}") for n in range(251)])
    with pytest.raises(NotFound):
        await actions.preview(Principal(9, "bot", Role.TRADER, "other"), account, "r1", [again])
    assert (await actions.preview(TRADER, account, "r1", [an_action("REDUCE", "b", fraction="1")])).after.holdings == ()
