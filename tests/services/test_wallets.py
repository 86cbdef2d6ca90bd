"""Wallets: opened once, funded through a proper transfer, once a key."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from config.database import pool
from domain.errors import Forbidden, IdempotencyConflict, InvalidInput, NotFound, Refused
from services import wallets
from services.unit import plain
from tests.services.builders import ADMIN, CLIENT, MANAGER, TRADER, a_desk


@pytest.fixture
async def desk(database: str) -> None:
    await a_desk()


async def _deposit(principal: Any = MANAGER, **changes: Any) -> int:
    return await wallets.deposit(
        principal, **{"client": "alice", "currency": "USD", "amount": Decimal(250), "key": "k1", **changes}
    )


async def _cash() -> list[Decimal]:
    return [row["cash"] for row in await pool().fetch("select cash from wallets order by id")]


async def test_a_wallet_is_opened_once(desk: None) -> None:
    async with plain() as work:
        first = await wallets.open(work, "acme", "alice", "USD")
        assert await wallets.open(work, "acme", "alice", "USD") == first
        assert await wallets.open(work, "acme", "alice", "EUR") != first
        assert await wallets.open(work, "other", "alice", "USD") != first


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
