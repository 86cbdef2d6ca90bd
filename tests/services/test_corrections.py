"""Voids and recomputations through the database: what remains is what the account is, and the books go on holding."""

import asyncio
import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from config.database import connection
from domain.errors import (
    AccountTerminal,
    Forbidden,
    InvalidInput,
    InvalidTransition,
    LaterFillsNeedIt,
    NotFound,
    Refused,
)
from domain.lifecycles import AccountStatus
from services import actions, admin, corrections, quotes
from services.corrections import Correction
from services.principals import Principal, Role
from tests.services.world import (
    ADMIN,
    CLIENT,
    FUNDED,
    MANAGER,
    TRADER,
    WIDE,
    World,
    a_quote,
    a_world,
    act,
    an_action,
    books_hold,
    changed,
    rows,
    settle,
    totals,
    value,
)

STRANGER = Principal(9, "ned", Role.MANAGER, "other")
NO_FEE = WIDE | {"fee_bps": Decimal(0)}


async def filled(account: int, verb: str, **given: str) -> int:
    """Act, and answer the fill's seq."""
    answer = await act(account, verb, action_id=f"{verb}{random.random()}", **given)
    assert answer.fill, answer.refusal
    return answer.fill.seq


async def void(account: int, *fills: int, reason: str = "a bad tick") -> Correction:
    return await corrections.void_fills(MANAGER, [(account, fill) for fill in fills], reason)


async def figures(account: int) -> dict[str, Any]:
    [found] = await rows(
        "select cash, realised, fees, unrealised, equity, live from balances where account_id = $1", account
    )
    return found


async def positions(account: int) -> list[tuple[Any, ...]]:
    found = await rows(
        "select seq, side, status, trim_scale(quantity) as quantity from positions where account_id = $1 order by seq",
        account,
    )
    return [tuple(row.values()) for row in found]


async def test_a_void_makes_the_account_what_the_fills_that_remain_come_to(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    opened = await filled(account, "OPEN", quantity="100000")
    await world.quote("1.10100")
    bad = await filled(account, "INCREASE", quantity="100000")
    await world.quote("1.10200")
    await filled(account, "REDUCE", quantity="50000")
    before = await figures(account)
    done = await void(account, bad)
    after = await figures(account)
    assert before["realised"] == Decimal(75)  # of an average of 1.1005
    assert (after["realised"], after["unrealised"]) == (Decimal(100), Decimal(100))  # 1.1 to 1.102, half of it closed
    fee = Decimal("110.1")  # of the voided fill
    assert after["fees"] == before["fees"] - fee
    assert after["cash"] == before["cash"] + 25 + fee
    assert after["equity"] == after["cash"] + 100
    [row] = await rows("select seq, amount, facts from ledger where kind = 'correction'")
    assert (row["seq"], row["amount"]) == (done.seq, 25 + fee)
    assert await rows("select seq, status, order_seq from fills where status = 'VOID'") == [
        {"seq": bad, "status": "VOID", "order_seq": bad - 1}
    ]
    assert await value("select status from orders where seq = $1", bad - 1) == "VOID"
    assert await positions(account) == [(opened + 1, "LONG", "OPEN", Decimal(50_000))]
    await books_hold()
    [told] = await rows("select operation, object_id, reason, before, after from audit where operation = 'voidFill'")
    assert (told["object_id"], told["reason"]) == (str(account), "a bad tick")


async def test_what_was_found_and_measured_stays(database: str) -> None:
    """A void that heals a failure after the fact reopens nothing and rewrites nothing; what it opens again closes."""
    world = await a_world(database)
    challenge, account = await world.buy()
    await filled(account, "OPEN", quantity="1000000")
    await world.quote("1.09000")
    kept = {
        name: await rows(f"select * from {name} order by 1, 2")
        for name in ("breaches", "challenge_phases", "days", "challenges", "metrics")
    }
    ledger = await rows("select * from ledger where account_id = $1 order by seq", account)
    closed = await value("select seq from fills where verb = 'CLOSE'")
    await void(account, closed)
    for name, rows_before in kept.items():
        assert await rows(f"select * from {name} order by 1, 2") == rows_before, name
    assert (await rows("select * from ledger where account_id = $1 order by seq", account))[: len(ledger)] == ledger
    assert (await figures(account))["live"], "it holds its position again"
    await books_hold()
    await world.quote("1.09100")
    assert not (await figures(account))["live"], "which was closed at the next fresh quote"
    assert await value("select status from challenges where id = $1", challenge) == 3
    await books_hold()


async def test_a_void_parts_and_joins_holdings(database: str) -> None:
    world = await a_world(database, policy=NO_FEE)
    _, account = await world.buy()
    opened = await filled(account, "OPEN", quantity="10000")
    closed = await filled(account, "CLOSE")
    again = await filled(account, "OPEN", quantity="5000")
    await void(account, closed)
    assert await positions(account) == [
        (opened + 1, "LONG", "OPEN", Decimal(15_000)),
        (again + 1, "LONG", "CLOSED", Decimal(0)),
    ]
    await books_hold()
    reduced = await filled(account, "REDUCE", quantity="10000")
    await void(account, again)  # flat after the reduction
    assert await positions(account) == [
        (opened + 1, "LONG", "CLOSED", Decimal(0)),
        (again + 1, "LONG", "CLOSED", Decimal(0)),
    ]
    assert reduced in [row["seq"] for row in await rows("select seq from fills where status = 'BOOKED'")]
    assert (await act(account, "OPEN", action_id="more", quantity="1000")).status == "EXECUTED"
    await books_hold()


async def test_a_stop_loss_goes_with_its_position(database: str) -> None:
    world = await a_world(database, policy=NO_FEE)
    _, account = await world.buy()
    fill = await filled(account, "OPEN", quantity="10000", stop_loss="1.05", take_profit="1.2")
    await act(account, "OPEN", action_id="rests", side="SHORT", quantity="1000", order="LIMIT", price="1.3")
    await void(account, fill)
    told = await rows(
        "select type, status, outcome ->> 'reason' as why from orders where type <> 'MARKET' order by seq"
    )
    assert [tuple(row.values()) for row in told] == [
        ("STOP_LOSS", "CANCELLED", "POSITION_VOIDED"),
        ("TAKE_PROFIT", "CANCELLED", "POSITION_VOIDED"),
        ("LIMIT", "WORKING", None),
    ]
    await books_hold()


async def test_what_catching_up_fills_is_there_when_it_is_voided_beside_it(database: str) -> None:
    """The quote that triggers an order comes with the void: nobody has marked the account in between."""
    world = await a_world(database, policy=NO_FEE)
    _, account = await world.buy()
    opened = await filled(account, "OPEN", quantity="10000")
    await act(account, "INCREASE", action_id="rests", quantity="5000", order="LIMIT", price="1.09")
    await quotes.ingest([a_quote("EURUSD", "1.08", world.at + timedelta(minutes=1))])
    await void(account, opened)
    triggered = await value("select seq from fills where status = 'BOOKED'")
    assert await positions(account) == [(opened + 1, "LONG", "OPEN", Decimal(5000))]
    assert await value("select position_seq from fills where seq = $1", triggered) == opened + 1
    assert (await figures(account))["cash"] == 100_000
    await books_hold()


async def test_later_fills_that_need_it_are_named_and_may_go_with_it(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    opened = await filled(account, "OPEN", quantity="10000")
    reduced = await filled(account, "REDUCE", quantity="4000")
    closed = await filled(account, "CLOSE")
    before = await totals()
    with pytest.raises(LaterFillsNeedIt) as refused:
        await void(account, opened)
    assert refused.value.facts == {"fills": f"{account}-{reduced} {account}-{closed}"}
    assert await totals() == before
    await void(account, opened, reduced, closed)
    assert (await figures(account))["cash"] == Decimal(100_000)
    [row] = await rows("select facts from ledger where kind = 'correction'")
    assert f'"voided_fills": "{opened} {reduced} {closed}"' in row["facts"]
    await books_hold()


async def test_what_cannot_be_voided_is_refused_and_nothing_is_written(database: str) -> None:
    world = await a_world(database, policy=NO_FEE, cash=2_000)
    _, account = await world.buy("one")
    _, other = await world.buy("two")
    fill = await filled(account, "OPEN", quantity="10000")
    twin = await filled(other, "OPEN", quantity="10000")
    working = await act(account, "OPEN", action_id="w", side="SHORT", quantity="1000", order="LIMIT", price="1.3")
    ended = await admin.create_account(MANAGER, mode="RACE", group="DEMO", key="r1")
    await admin.start_by_hand(MANAGER, ended)
    gone = await filled(ended, "OPEN", quantity="10000")
    await act(ended, "CLOSE", action_id="c")
    await admin.complete(MANAGER, ended)
    await void(account, fill)
    assert working.order_seq
    cases: list[tuple[type[Refused], str | None, Any]] = [
        (InvalidTransition, "fillIds[0]", void(account, fill)),
        (InvalidTransition, "orderIds[0]", corrections.void_orders(MANAGER, [(account, fill - 1)], "again")),
        (InvalidTransition, "orderIds[0]", corrections.void_orders(MANAGER, [(account, working.order_seq)], "works")),
        (NotFound, "fillIds[1]", void(other, twin, twin + 1)),
        (NotFound, "fillIds", void(99, 1)),
        (NotFound, "fillIds", corrections.void_fills(STRANGER, [(other, twin)], "not mine")),
        (NotFound, "accountId", corrections.recompute_account(STRANGER, other, "not mine", apply=True)),
        (InvalidInput, "fillIds", corrections.void_fills(MANAGER, [(account, fill), (other, twin)], "two accounts")),
        (InvalidInput, "fillIds", corrections.void_fills(MANAGER, [], "none")),
        (InvalidInput, "fillIds", corrections.void_fills(MANAGER, [(other, twin)] * 251, "many")),
        (InvalidInput, "reason", void(other, twin, reason=" ")),
        (AccountTerminal, None, void(ended, gone)),
        (AccountTerminal, None, corrections.recompute_account(ADMIN, ended, "late", apply=False)),
        (Forbidden, None, corrections.void_fills(TRADER, [(other, twin)], "mine")),
        (Forbidden, None, corrections.recompute_account(CLIENT, other, "mine", apply=False)),
    ]
    before = await totals()
    for kind, field, attempt in cases:
        with pytest.raises(kind) as refused:
            await attempt
        assert refused.value.field == field
    assert await totals() == before
    with pytest.raises(InvalidTransition, match="use cancelOrder"):
        await corrections.void_orders(MANAGER, [(account, working.order_seq)], "works")


async def test_two_voids_at_once_void_once(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    fill = await filled(account, "OPEN", quantity="10000")
    done = await asyncio.gather(*(void(account, fill) for _ in range(4)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Correction", *["InvalidTransition"] * 3]
    assert await value("select count(*) from ledger where kind = 'correction'") == 1
    await books_hold()


DAMAGES = {
    "realised": "update balances set realised = realised + 5",
    "cash": "update balances set cash = cash - 7, equity = equity - 7",
    "unrealised": "update balances set unrealised = unrealised + 1, equity = equity + 1",
    "fill {fill} realised": "update fills set realised = realised + 3 where verb = 'REDUCE'",
    "position {position} quantity": "update positions set quantity = quantity + 1000",
    "position {position} cost_basis": "update positions set cost_basis = cost_basis * 2",
    "position {position} symbol": "delete from positions",
    "position 99 quantity": "insert into positions select account_id, 99, 'GBPUSD', side, status, quantity, cost_basis,"
    " realised, fees, opened_at from positions",
}


async def test_computing_again_shows_what_differs_and_mends_it_when_told(database: str) -> None:
    world = await a_world(database, symbols=2)
    _, account = await world.buy()
    await filled(account, "OPEN", quantity="100000")
    await world.quote("1.10100")
    fill = await filled(account, "REDUCE", quantity="40000")
    position = await value("select seq from positions")
    await world.quote("1.30000", symbol="GBPUSD")
    sound = await figures(account)
    assert (await corrections.recompute_account(MANAGER, account, "a look", apply=True)).seq is None
    assert await value("select count(*) from ledger where kind = 'correction'") == 0
    for what, damage in DAMAGES.items():
        async with connection(database) as owner:
            await owner.execute("set session_replication_role = replica")
            await owner.execute(damage)
        damaged, before = await figures(account), await totals()
        shown = await corrections.recompute_account(MANAGER, account, "a look", apply=False)
        assert what.format(fill=fill, position=position) in [one.what for one in shown.differences], (what, shown)
        assert shown.seq is None
        after = await totals()
        assert await figures(account) == damaged
        assert {name for name in after if after[name] != before[name]} == {"audit"}, "but for who looked, nothing"
        mended = await corrections.recompute_account(MANAGER, account, "mend it", apply=True)
        assert mended.differences == shown.differences
        assert mended.seq == await value("select max(seq) from ledger where kind = 'correction'")
        assert await figures(account) == sound
        assert (await corrections.recompute_account(MANAGER, account, "once more", apply=True)).differences == []
    await books_hold()


async def trade_at_random(world: World, account: int, chance: random.Random, place: int) -> None:
    """One action, a quote, or a void of some fills or of one order; what is refused is refused."""
    what = chance.random()
    if what < 0.6:
        verb = chance.choice(["OPEN", "OPEN", "INCREASE", "REDUCE", "CLOSE"])
        size = {"CLOSE": {}, "REDUCE": {"fraction": "0.5"}}.get(verb, {"quantity": f"{chance.randint(1, 40)}000"})
        protect = {"stop_loss": "1.02"} if verb == "OPEN" and chance.random() < 0.3 else {}
        side = "LONG" if protect else chance.choice(["LONG", "SHORT"])
        await actions.submit(TRADER, account, "r1", [an_action(verb, f"a{place}", side=side, **size, **protect)])
    elif what < 0.75:
        await world.quote(f"1.{chance.randint(900, 1100):04}", after=timedelta(hours=chance.choice([0, 1, 9])))
    else:
        booked = [
            r["seq"] for r in await rows("select seq from fills where status = 'BOOKED' and account_id = $1", account)
        ]
        some = chance.sample(booked, min(len(booked), chance.randint(1, 3)))
        try:
            await void(account, *some)
        except LaterFillsNeedIt as refused:
            needed = [int(str(name).split("-")[1]) for name in str(refused.facts["fills"]).split()]
            await void(account, *some, *needed)
        except InvalidInput:
            assert not booked


@pytest.mark.parametrize("seed", range(2))
async def test_books_hold_whatever_is_traded_and_voided(database: str, seed: int) -> None:
    chance = random.Random(seed)
    endless = changed(
        FUNDED, phase_index=1, duration_days=0, max_daily_loss_pct=Decimal(0), max_total_loss_pct=Decimal(0)
    )
    world = await a_world(database, steps=(endless,), mid="1.10000")
    _, account = await world.buy()
    for place in range(40):
        await trade_at_random(world, account, chance, place)
        assert (await corrections.recompute_account(MANAGER, account, "check", apply=False)).differences == []
    assert await value("select count(*) from fills where status = 'VOID'") > 2
    await books_hold()
    left = await rows("select * from fills where status = 'BOOKED' order by seq")
    assert await value("select status from accounts where id = $1", account) == AccountStatus.ACTIVE
    assert (await figures(account))["realised"] == sum(row["realised"] for row in left)


async def test_a_correction_is_judged_at_once(database: str) -> None:
    """Without its hedge the account stands below its floor, and fails there and then."""
    world = await a_world(database, policy=NO_FEE)
    challenge, account = await world.buy()
    await filled(account, "OPEN", quantity="2000000")
    hedge = await filled(account, "OPEN", side="SHORT", quantity="1900000")
    await world.quote("1.05000")
    assert await value("select status from challenges where id = $1", challenge) == 1
    done = await void(account, hedge)
    assert await value("select status from challenges where id = $1", challenge) == 3
    kinds = [r["kind"] for r in await rows("select kind from ledger where seq >= $1 order by seq", done.seq)]
    assert kinds[:3] == ["correction", "mark_to_market", "phase_failed"]
    await settle()
    await books_hold()
