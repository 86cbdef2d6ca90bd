"""Accounts outside a challenge: opened once, funded, ended, and their final figures kept."""

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.accounts import Mode
from domain.errors import (
    AccountInChallenge,
    AccountTerminal,
    Forbidden,
    IdempotencyConflict,
    InvalidInput,
    InvalidTransition,
    ModeReserved,
    NotFound,
    Refused,
)
from domain.terms import Policy, policy_from_text
from services import admin, brands, groups, purchases
from services.principals import Principal, Role
from tests.services.world import (
    ADMIN,
    CLIENT,
    MANAGER,
    TRADER,
    World,
    a_world,
    act,
    books_hold,
    rows,
    settle,
    totals,
    value,
)

OTHER = Principal(9, "other desk", Role.MANAGER, "other")


async def an_account(mode: str = "AUDITION", key: str = "k1", **given: Any) -> int:
    """One that has started."""
    account = await admin.create_account(MANAGER, mode=mode, key=key, **given)
    await admin.start_by_hand(MANAGER, account)
    return account


async def kinds(account: int) -> list[str]:
    """What its ledger says happened, in order."""
    return [row["kind"] for row in await rows("select kind from ledger where account_id = $1 order by seq", account)]


async def test_without_a_group_an_account_has_the_defaults_of_an_audition(database: str) -> None:
    await a_world(database)
    parent = await admin.create_account(MANAGER, mode=Mode.RACE, key="p", group="DEMO")
    account = await admin.create_account(
        MANAGER, mode="AUDITION", key="k", owner="alice", clone="c-1", parent_id=parent
    )
    [row] = await rows("select * from accounts where id = $1", account)
    assert (row["status"], row["mode"], row["currency"]) == ("PENDING", "AUDITION", "USDC")
    assert (row["owner"], row["clone"], row["parent_id"]) == ("alice", "c-1", parent)
    assert row["starting_balance"] == Decimal(100_000)
    assert policy_from_text(row["policy"]) == Policy()
    assert await kinds(account) == ["account_created"]
    assert await value("select cash from balances where account_id = $1", account) == 0
    await books_hold()


async def test_an_account_keeps_the_policy_its_group_had_when_it_was_opened(database: str) -> None:
    world = await a_world(database, policy={"notional_max": Decimal(7_000)})
    account = await an_account(group="DEMO")
    await groups.save_group(MANAGER, name="DEMO", kind="DEMO", currency="USD", deposit=Decimal(5), policy={})
    assert policy_from_text(await value("select policy from accounts where id = $1", account)).notional_max == 7_000
    refused = await act(account, "OPEN", action_id="a1", quantity="10000")
    assert refused.refusal is not None
    assert refused.refusal.limit == "7000"
    assert world.symbols == ("EURUSD",)


async def test_the_same_key_and_content_is_one_account_even_at_once(database: str) -> None:
    await a_world(database)
    made = await asyncio.gather(*(admin.create_account(MANAGER, mode="RACE", key="k", clone="c") for _ in range(5)))
    assert len(set(made)) == 1
    assert await value("select count(*) from accounts") == 1
    assert await value("select count(*) from audit where operation = 'createAccount'") == 1
    with pytest.raises(IdempotencyConflict) as conflict:
        await admin.create_account(MANAGER, mode="RACE", key="k", clone="another")
    assert conflict.value.field == "clone"


BAD: list[tuple[dict[str, Any], type[Refused], str]] = [
    ({"mode": "EVALUATION"}, ModeReserved, "mode"),
    ({"mode": "FUNDED"}, ModeReserved, "mode"),
    ({"mode": "race"}, InvalidInput, "mode"),
    ({"group": "MISSING"}, NotFound, "group"),
    ({"group": "\0"}, InvalidInput, "group"),
    ({"owner": ""}, InvalidInput, "owner"),
    ({"owner": "x" * 101}, InvalidInput, "owner"),
    ({"clone": "\ud800"}, InvalidInput, "clone"),
    ({"clone": "a\0b"}, InvalidInput, "clone"),
    ({"parent_id": 999}, NotFound, "parentId"),
    ({"key": ""}, InvalidInput, "idempotencyKey"),
    ({"brand": "other"}, NotFound, "brand"),
]


async def test_what_cannot_be_opened_is_refused_by_name_and_nothing_is_written(database: str) -> None:
    await a_world(database)
    await brands.save_brand(ADMIN, name="other", title="Other")
    theirs = await admin.create_account(OTHER, mode="AUDITION", key="k")
    cases: list[tuple[dict[str, Any], type[Refused], str]] = [*BAD, ({"parent_id": theirs}, NotFound, "parentId")]
    before = await totals()
    for given, refusal, field in cases:
        asked: dict[str, Any] = {"mode": "AUDITION", "key": "k", **given}
        with pytest.raises(refusal) as refused:
            await admin.create_account(MANAGER, **asked)
        assert refused.value.field == field, given
    for principal in (TRADER, CLIENT):
        with pytest.raises(Forbidden):
            await admin.create_account(principal, mode="AUDITION", key="k")
    assert await totals() == before
    with pytest.raises(InvalidInput):
        await admin.create_account(ADMIN, mode="AUDITION", key="k")  # an admin names the brand
    assert await admin.create_account(ADMIN, mode="AUDITION", key="k", brand="other") != theirs, (
        "keys are each principal's own"
    )


async def test_starting_funds_the_account_once_and_an_active_one_stays_as_it_is(database: str) -> None:
    await a_world(database)
    account = await admin.create_account(MANAGER, mode="AUDITION", key="k")
    outcomes = await asyncio.gather(*(admin.start_by_hand(MANAGER, account) for _ in range(4)))
    assert outcomes == [None] * 4
    assert await kinds(account) == ["account_created", "deposit", "account_started"]
    [balance] = await rows("select cash, equity, high_watermark, live from balances where account_id = $1", account)
    assert balance == {"cash": 100_000, "equity": 100_000, "high_watermark": 100_000, "live": False}
    pair = await rows("select amount, account_id from transfers where money = 'SYNTHETIC' order by amount")
    assert [(row["amount"], row["account_id"]) for row in pair] == [(-100_000, None), (100_000, account)]
    assert await value("select count(*) from audit where operation = 'startAccount'") == 1
    await books_hold()


async def test_a_challenge_starts_its_own_account(database: str) -> None:
    world = await a_world(database)
    _, challenge = await purchases.buy(CLIENT, world.program, world.wallet, "b1")
    account = await world.account(challenge)
    with pytest.raises(AccountInChallenge):
        await admin.start_by_hand(MANAGER, account)
    await settle()
    seq = await value("select seq from balances where account_id = $1", account)
    await admin.start_by_hand(MANAGER, account)
    assert await value("select seq from balances where account_id = $1", account) == seq
    await books_hold()


async def test_a_completed_account_keeps_its_final_figures(database: str) -> None:
    world = await a_world(database)
    account = await an_account("RACE", group="DEMO")
    started = world.at
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await world.quote("1.2")
    await act(account, "REDUCE", action_id="a2", quantity="50000")
    await admin.complete(MANAGER, account)

    result = json.loads(await value("select result::text from accounts where id = $1", account))
    fees = Decimal(110) + Decimal(60) * 2
    assert result == {
        "starting_balance": "100000",
        "balance": str(110_000 - fees),
        "equity": str(110_000 - fees),
        "realised": "10000",
        "fees": str(fees),
        "profit": str(10_000 - fees),
        "high_watermark": str(110_000 - 110),
        "fills": 3,
        "started_at": started.isoformat(),
        "ended_at": world.at.isoformat(),
    }
    assert await value("select status from accounts where id = $1", account) == "COMPLETED"
    orders = await rows("select reason from orders where account_id = $1 order by seq", account)
    assert [row["reason"] for row in orders] == ["ACTION", "ACTION", "COMPLETION"]
    assert (await kinds(account))[-5:] == [
        "account_closing", "order_placed", "fill", "position_closed", "account_completed",
    ]  # fmt: skip
    await books_hold()


async def test_nothing_can_be_done_with_an_account_that_has_ended(database: str) -> None:
    await a_world(database)
    for key in ("completed", "liquidated"):
        account = await an_account(key=key)
        await (admin.complete(MANAGER, account) if key == "completed" else admin.liquidate(MANAGER, account, "why"))
        ended = await rows("select * from accounts where id = $1", account)
        for verb in (admin.start_by_hand, admin.complete):
            with pytest.raises(AccountTerminal):
                await verb(MANAGER, account)
        for reasoned in (admin.liquidate, admin.pause, admin.resume, admin.lock, admin.unlock):
            with pytest.raises(AccountTerminal):
                await reasoned(MANAGER, account, "why")
        refused = await act(account, "OPEN", action_id="a1", quantity="1000")
        assert refused.status == "REJECTED"
        assert await rows("select * from accounts where id = $1", account) == ended
    await books_hold()


async def test_an_account_that_has_not_started_cannot_end(database: str) -> None:
    await a_world(database)
    account = await admin.create_account(MANAGER, mode="AUDITION", key="k")
    for ending in (admin.complete(MANAGER, account), admin.liquidate(MANAGER, account, "why")):
        with pytest.raises(InvalidTransition):
            await ending
    await books_hold()


async def test_another_brands_account_is_answered_like_a_missing_one(database: str) -> None:
    await a_world(database)
    await brands.save_brand(ADMIN, name="other", title="Other")
    account = await an_account()
    told = []
    for number in (account, 999):
        for verb in (admin.start_by_hand, admin.complete):
            with pytest.raises(NotFound) as refused:
                await verb(OTHER, number)
            told.append((str(refused.value).replace(str(number), "n"), refused.value.field))
        for reasoned in (admin.liquidate, admin.pause, admin.resume, admin.lock, admin.unlock):
            with pytest.raises(NotFound) as refused:
                await reasoned(OTHER, number, "why")
            told.append((str(refused.value).replace(str(number), "n"), refused.value.field))
    assert len(set(told)) == 1
    assert await kinds(account) == ["account_created", "deposit", "account_started"]


async def _liquidated(world: World, account: int) -> str:
    """How an action that came with the liquidation fared."""
    submitted, ended = await asyncio.gather(
        act(account, "OPEN", action_id="race", side="SHORT", quantity="1000"),
        admin.liquidate(MANAGER, account, "abuse"),
        return_exceptions=True,
    )
    assert not isinstance(ended, BaseException), ended
    assert not isinstance(submitted, BaseException), submitted
    return submitted.status


async def test_a_liquidation_and_an_action_at_once_leave_nothing_open(database: str) -> None:
    world = await a_world(database)
    for number in range(6):
        account = await an_account(key=f"k{number}", group="DEMO")
        await act(account, "OPEN", action_id="a1", quantity="1000")
        await _liquidated(world, account)
        assert await value("select status from accounts where id = $1", account) == "LIQUIDATED"
        assert await value("select count(*) from positions where account_id = $1 and status = 'OPEN'", account) == 0
        world.at += timedelta(seconds=1)
    await books_hold()
