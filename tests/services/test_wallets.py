"""Wallets: opened once, funded through a proper transfer, once a key."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from config.database import pool
from domain.errors import Forbidden, IdempotencyConflict, InvalidInput, NotFound, Refused
from services import wallets
from services.unit_of_work.openings import transaction
from tests.services.builders import ADMIN, CLIENT, MANAGER, STRANGER, TRADER, a_desk


@pytest.fixture
async def desk(database: str) -> None:
    await a_desk()


async def _deposit(principal: Any = MANAGER, **changes: Any) -> int:
    return await wallets.deposit_to_wallet(
        principal, **{"client": "alice", "currency": "USD", "amount": Decimal(250), "key": "k1", **changes}
    )


async def _cash() -> list[Decimal]:
    return [row["cash"] for row in await pool().fetch("select cash from wallets order by id")]


async def test_a_wallet_is_opened_once(desk: None) -> None:
    async with transaction() as work:
        first = await wallets.open_wallet(work, "acme", "alice", "USD")
        assert await wallets.open_wallet(work, "acme", "alice", "USD") == first
        assert await wallets.open_wallet(work, "acme", "alice", "EUR") != first
        assert await wallets.open_wallet(work, "other", "alice", "USD") != first


async def test_a_deposit_comes_from_outside_in_a_pair(desk: None) -> None:
    wallet_id = await _deposit()
    rows = await pool().fetch(
        "select t.kind, t.money, t.wallet_id, h.purpose, t.amount from transfers t"
        " left join house_accounts h on h.id = t.house_account_id order by t.amount"
    )
    assert [tuple(row) for row in rows] == [
        ("TOP_UP", "REAL", None, "EXTERNAL", Decimal(-250)),
        ("TOP_UP", "REAL", wallet_id, None, Decimal(250)),
    ]
    assert await _cash() == [Decimal(250)]


async def test_the_same_key_moves_money_once_even_at_once(desk: None) -> None:
    answers = await asyncio.gather(*(_deposit() for _ in range(5)))
    assert len(set(answers)) == 1
    assert await _cash() == [Decimal(250)]
    await _deposit(key="k2")
    assert await _cash() == [Decimal(500)]


async def test_the_same_key_for_another_amount_is_refused(desk: None) -> None:
    await _deposit()
    with pytest.raises(IdempotencyConflict) as refusal:
        await _deposit(amount=Decimal(251))
    assert refusal.value.field == "amount"
    assert await _deposit(amount=Decimal("250.00")) > 0


async def test_only_managers_and_admins_put_money_in(desk: None) -> None:
    for principal in (CLIENT, TRADER):
        with pytest.raises(Forbidden):
            await _deposit(principal)


BAD: list[tuple[dict[str, Any], type[Refused], str]] = [
    ({"client": ""}, InvalidInput, "client"),
    ({"client": "x" * 101}, InvalidInput, "client"),
    ({"currency": "XXX"}, NotFound, "currency"),
    ({"amount": Decimal(0)}, InvalidInput, "amount"),
    ({"amount": Decimal(-1)}, InvalidInput, "amount"),
    ({"amount": Decimal("0.001")}, InvalidInput, "amount"),
    ({"amount": Decimal("1e10")}, InvalidInput, "amount"),
    ({"brand": "other"}, NotFound, "brand"),
    ({"key": ""}, InvalidInput, "idempotencyKey"),
]


async def test_a_bad_field_is_named_and_nothing_written(desk: None) -> None:
    for changes, kind, field in BAD:
        with pytest.raises(kind) as refusal:
            await _deposit(**changes)
        assert refusal.value.field == field, changes
    assert await _cash() == []
    assert await pool().fetchval("select count(*) from receipts") == 0


async def test_an_admin_deposits_in_the_brand_it_names(desk: None) -> None:
    assert await _deposit(ADMIN, brand="acme") == await _deposit()
    assert await _cash() == [Decimal(500)]


async def _withdraw(wallet_id: int, principal: Any = MANAGER, **changes: Any) -> None:
    await wallets.withdraw_from_wallet(principal, wallet_id, **{"amount": Decimal(100), "key": "k1", **changes})


async def test_a_withdrawal_leaves_for_outside_once_a_key_even_at_once(desk: None) -> None:
    wallet_id = await _deposit()
    await asyncio.gather(*(_withdraw(wallet_id, reason="iban") for _ in range(5)))
    assert await _cash() == [Decimal(150)]
    legs = await pool().fetch(
        "select t.wallet_id, h.purpose, t.amount from transfers t left join house_accounts h"
        " on h.id = t.house_account_id where t.kind = 'WITHDRAWAL' order by t.amount"
    )
    assert [tuple(leg) for leg in legs] == [(wallet_id, None, Decimal(-100)), (None, "EXTERNAL", Decimal(100))]
    audited = await pool().fetch(
        "select operation, object_id, reason from audit where chain = 'acme' order by id desc limit 1"
    )
    assert [tuple(row) for row in audited] == [("withdrawFromWallet", str(wallet_id), "iban")]
    with pytest.raises(IdempotencyConflict) as conflict:
        await _withdraw(wallet_id, reason="another")
    assert conflict.value.field == "reason"


async def test_more_than_is_free_cannot_be_withdrawn_however_many_try_at_once(desk: None) -> None:
    wallet_id = await _deposit()
    await pool().execute("update wallets set reserved = 40")
    answers = await asyncio.gather(
        *(_withdraw(wallet_id, key=f"k{n}", amount=Decimal(70)) for n in range(6)), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["InsufficientFunds"] * 3 + ["NoneType"] * 3
    assert await _cash() == [Decimal(40)]


async def test_a_withdrawal_s_bad_field_is_named_and_nothing_written(desk: None) -> None:
    wallet_id = await _deposit()
    for changes, kind, field in (
        ({"amount": Decimal(0)}, InvalidInput, "amount"),
        ({"amount": Decimal("0.001")}, InvalidInput, "amount"),
        ({"amount": Decimal("NaN")}, InvalidInput, "amount"),
        ({"key": ""}, InvalidInput, "idempotencyKey"),
        ({"wallet_id": wallet_id + 99}, NotFound, "walletId"),
        ({"principal": STRANGER}, NotFound, "walletId"),
    ):
        asked: dict[str, Any] = {"wallet_id": wallet_id, **changes}
        with pytest.raises(kind) as refusal:
            await _withdraw(asked.pop("wallet_id"), **asked)
        assert refusal.value.field == field, changes
    for principal in (CLIENT, TRADER):
        with pytest.raises(Forbidden):
            await _withdraw(wallet_id, principal)
    assert await _cash() == [Decimal(250)]
