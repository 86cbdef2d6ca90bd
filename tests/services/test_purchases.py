"""Buying a challenge: once by key, never with the same money twice, under terms that stay as they were sold."""

import asyncio
from contextvars import Context
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import (
    Forbidden,
    IdempotencyConflict,
    InsufficientFunds,
    NotFound,
    ProgramNotAvailable,
    WalletMismatch,
)
from domain.lifecycles import ProgramStatus
from models import wallets as wallet_rows
from services import groups, programs, purchases, wallets
from services.principals import Principal, Role
from tests.services.world import (
    ADMIN,
    CLIENT,
    EVALUATION,
    MANAGER,
    START,
    World,
    a_world,
    act,
    books_hold,
    changed,
    rows,
    settle,
    totals,
    value,
    waits,
)


async def _cash(world: World) -> tuple[int, int]:
    """Cash and reserved, whole in these tests."""
    [row] = await rows("select cash, reserved from wallets where id = $1", world.wallet)
    return int(row["cash"]), int(row["reserved"])


async def test_a_sale_reserves_the_price_and_its_jobs_take_it_deposit_and_start(database: str) -> None:
    world = await a_world(database)
    purchase, challenge = await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    account = await world.account(challenge)
    assert await _cash(world) == (2000, 500)
    assert await value("select status from purchases where id = $1", purchase) == 0
    assert await rows("select status, read_only from accounts where id = $1", account) == [
        {"status": "PENDING", "read_only": False}
    ]
    assert await rows(
        "select phase_index, phase_type, status, account_id, initial_balance, started_at from challenge_phases"
    ) == [
        {"phase_index": 1, "phase_type": 0, "status": 1, "account_id": account, "initial_balance": 100_000,
         "started_at": None},
        {"phase_index": 2, "phase_type": 1, "status": 0, "account_id": None, "initial_balance": 100_000,
         "started_at": None},
    ]  # fmt: skip
    await books_hold()

    await settle()
    assert await _cash(world) == (1500, 0)
    assert await value("select status from purchases where id = $1", purchase) == 3
    assert await value("select status from accounts where id = $1", account) == "ACTIVE"
    assert await rows("select day, day_start_balance, day_start_equity from balances") == [
        {"day": 1, "day_start_balance": 100_000, "day_start_equity": 100_000}
    ]
    assert await rows("select started_at, start_equity from challenge_phases order by phase_index") == [
        {"started_at": START, "start_equity": 100_000},
        {"started_at": None, "start_equity": None},
    ]
    assert [row["kind"] for row in await rows("select kind from jobs order by id")] == [
        "withdraw_fee", "deposit", "start_account",
    ]  # fmt: skip
    assert [row["kind"] for row in await rows("select distinct kind, transfer from transfers order by transfer")] == [
        "TOP_UP", "FEE", "DEPOSIT",
    ]  # fmt: skip
    await books_hold()


async def test_a_phase_that_has_not_started_is_neither_judged_nor_traded(database: str) -> None:
    world = await a_world(database)
    _, challenge = await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    refused = await act(await world.account(challenge), "OPEN", action_id="a1", quantity="1000")
    assert refused.refusal and refused.refusal.code == "ACCOUNT_NOT_OPEN"
    assert await value("select count(*) from balances where live") == 0


async def test_the_same_key_and_content_is_the_same_sale_and_another_content_a_conflict(database: str) -> None:
    world = await a_world(database)
    first = await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    before = await totals()
    assert await purchases.buy(CLIENT, world.program, world.wallet, "k1") == first
    for field, program, wallet in (("programId", world.program + 1, world.wallet), ("walletId", world.program, 99)):
        with pytest.raises(IdempotencyConflict) as refused:
            await purchases.buy(CLIENT, program, wallet, "k1")
        assert refused.value.field == field
    assert await totals() == before
    assert await purchases.buy(CLIENT, world.program, world.wallet, "k2") != first


async def test_fifty_times_the_same_sale_at_once_is_one(database: str) -> None:
    world = await a_world(database)
    sales = await asyncio.gather(*(purchases.buy(CLIENT, world.program, world.wallet, "k1") for _ in range(50)))
    assert len(set(sales)) == 1
    for table in ("purchases", "challenges", "accounts", "jobs"):
        assert await value(f"select count(*) from {table}") == 1
    assert await value("select count(*) from challenge_phases") == 2
    assert await _cash(world) == (2000, 500)


async def test_sales_at_once_cannot_spend_the_same_money(database: str) -> None:
    world = await a_world(database)
    ends = await asyncio.gather(
        *(purchases.buy(CLIENT, world.program, world.wallet, f"k{n}") for n in range(7)), return_exceptions=True
    )
    assert sorted(type(end).__name__ for end in ends) == ["InsufficientFunds"] * 3 + ["tuple"] * 4
    assert await _cash(world) == (2000, 2000)
    await settle()
    assert await _cash(world) == (0, 0)
    await books_hold()


async def test_short_of_money_nothing_is_written_and_the_key_is_free(database: str) -> None:
    world = await a_world(database, cash=499)
    before = await totals()
    with pytest.raises(InsufficientFunds) as refused:
        await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    assert refused.value.facts == {"price": 500, "free": 499}
    assert await totals() == before
    await wallets.deposit_to_wallet(MANAGER, client="alice", currency="USD", amount=Decimal(1), key="w2")
    await purchases.buy(CLIENT, world.program, world.wallet, "k1")


async def test_a_program_for_nothing_takes_the_same_steps_without_a_transfer(database: str) -> None:
    world = await a_world(database, price=0)
    _, account = await world.buy()
    assert await value("select status from accounts where id = $1", account) == "ACTIVE"
    assert await _cash(world) == (2000, 0)
    names = await rows("select name from outbox order by id")
    assert [row["name"] for row in names] == [
        "prop.purchase.paid", "prop.purchase.account_created", "prop.purchase.active", "prop.challenge.started",
    ]  # fmt: skip
    assert await value("select count(*) from transfers where kind = 'FEE'") == 0
    await books_hold()


async def test_what_is_not_the_clients_is_not_found_and_what_does_not_fit_is_refused(database: str) -> None:
    world = await a_world(database)
    program, wallet = world.program, world.wallet
    euros = await wallets.deposit_to_wallet(MANAGER, client="alice", currency="EUR", amount=Decimal(1000), key="w2")
    bobs = await wallets.deposit_to_wallet(MANAGER, client="bob", currency="USD", amount=Decimal(1000), key="w3")
    stranger = Principal(9, "app", Role.CLIENT, "other", "alice")
    before = await totals()
    cases: list[tuple[type[Exception], str, Principal, int, int]] = [
        (NotFound, "programId", stranger, program, wallet),
        (NotFound, "programId", CLIENT, program + 1, wallet),
        (NotFound, "walletId", CLIENT, program, bobs),
        (NotFound, "walletId", CLIENT, program, 99),
        (WalletMismatch, "walletId", CLIENT, program, euros),
    ]
    for refusal, field, who, what, paid_from in cases:
        with pytest.raises(refusal) as refused:
            await purchases.buy(who, what, paid_from, "k1")
        assert refused.value.field == field  # type: ignore[attr-defined]
    with pytest.raises(Forbidden):
        await purchases.buy(MANAGER, program, wallet, "k1")
    assert await totals() == before

    for status in (ProgramStatus.DISABLED, ProgramStatus.ARCHIVED):
        version: int = await value("select version from programs")
        await programs.update_program(MANAGER, program, expected_version=version, status=status)
        with pytest.raises(ProgramNotAvailable):
            await purchases.buy(CLIENT, program, wallet, "k1")
    assert await totals() == before | {"audit": before["audit"] + 2}


async def test_what_was_sold_stays_as_it_was_whatever_becomes_of_the_program_and_its_group(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    harsh: dict[str, Any] = {"steps": (changed(EVALUATION, max_daily_loss_pct=Decimal("0.5")),), "price": Decimal(1)}
    await programs.update_program(MANAGER, world.program, expected_version=2, changes=harsh)
    await groups.save_group(MANAGER, name="REAL", kind="REAL", currency="USD", deposit=Decimal(7_000))
    await groups.save_group(MANAGER, name="DEMO", kind="DEMO", currency="USD", deposit=Decimal(50_000))

    opened = await act(account, "OPEN", action_id="a1", quantity="1000000")
    assert opened.status == "EXECUTED", "the group's new policy would not have it"
    await world.quote("1.097")  # 3,000 lost: beyond the new limit, within the one it was sold with
    assert await value("select status from challenges where id = $1", challenge) == 1
    await world.quote("1.111")
    await act(account, "CLOSE", action_id="a2")
    await settle()
    funded = await world.account(challenge)
    assert funded != account
    assert await value("select starting_balance from accounts where id = $1", funded) == 100_000

    _, later = await purchases.buy(CLIENT, world.program, world.wallet, "k2")
    assert await value("select starting_balance from accounts where id = $1", await world.account(later)) == 50_000
    assert await value("select price from purchases order by id desc limit 1") == 1
    assert await value("select count(*) from terms") == 2
    await settle()
    await books_hold()


async def test_an_edit_waits_for_the_sale_that_has_read_the_program(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, lock, edits = await a_world(database), wallet_rows.lock_wallet, list[asyncio.Task[Any]]()

    async def meanwhile_edited(conn: Any, wallet: int) -> Any:
        off_sale = programs.update_program(MANAGER, world.program, expected_version=2, status=ProgramStatus.DISABLED)
        edits.append(asyncio.create_task(off_sale, context=Context()))
        await waits(database)
        return await lock(conn, wallet)

    monkeypatch.setattr(wallet_rows, "lock_wallet", meanwhile_edited)
    await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    assert (await edits[0]).after["version"] == 3
    with pytest.raises(ProgramNotAvailable):
        await purchases.buy(CLIENT, world.program, world.wallet, "k2")


async def test_receipts_of_two_clients_do_not_meet(database: str) -> None:
    world = await a_world(database)
    bobs = await wallets.deposit_to_wallet(MANAGER, client="bob", currency="USD", amount=Decimal(1000), key="w2")
    bob = replace(CLIENT, subject="bob")
    mine = await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    assert await purchases.buy(bob, world.program, bobs, "k1") != mine
    assert await value("select count(*) from receipts where operation = 'buyChallenge'") == 2
    assert ADMIN.actor != CLIENT.actor
