"""Transfers create no money: two legs, one number, and never more than the free cash."""

import asyncio
from decimal import Decimal

import asyncpg
import pytest

from domain.errors import InsufficientFunds
from services import transfers, wallets
from services.transfers import Holder, House, Wallet
from services.unit_of_work.openings import transaction
from tests.services.world import MANAGER, World, a_world, books_hold, rows, totals, value


async def _move(source: Holder, target: Holder, amount: str, kind: str = "WITHDRAWAL") -> int:
    async with transaction() as work:
        return await transfers.transfer(
            work, brand="acme", kind=kind, money="REAL", currency="USD", source=source, target=target,
            amount=Decimal(amount), cause="a test",
        )  # fmt: skip


async def _balances(world: World) -> dict[str, Decimal]:
    found = await rows("select purpose, balance from house_accounts where currency = 'USD'")
    cash = await value("select cash from wallets where id = $1", world.wallet)
    return {row["purpose"]: row["balance"] for row in found} | {"wallet": cash}


async def test_a_transfer_is_two_rows_of_one_number_that_sum_to_zero(database: str) -> None:
    world = await a_world(database)
    number = await _move(Wallet(world.wallet), House("EXTERNAL"), "300.5")
    legs = await rows("select amount, cause, num_nonnulls(wallet_id, house_account_id, account_id) as holders "
                      "from transfers where transfer = $1 order by amount", number)  # fmt: skip
    assert legs == [{"amount": Decimal(sign) * Decimal("300.5"), "cause": "a test", "holders": 1} for sign in (-1, 1)]
    assert await _balances(world) == {"EXTERNAL": Decimal("-1699.5"), "wallet": Decimal("1699.5")}
    await books_hold()


async def test_more_than_is_free_is_refused_and_nothing_moves(database: str) -> None:
    world = await a_world(database)
    before = await totals(), await _balances(world)
    with pytest.raises(InsufficientFunds):
        await _move(Wallet(world.wallet), House("EXTERNAL"), "2000.01")
    assert (await totals(), await _balances(world)) == before


async def test_what_is_reserved_is_not_free(database: str) -> None:
    world = await a_world(database)
    async with transaction() as work:
        await work.conn.execute("update wallets set reserved = 500")
    with pytest.raises(InsufficientFunds):
        await _move(Wallet(world.wallet), House("EXTERNAL"), "1500.01")
    await _move(Wallet(world.wallet), House("EXTERNAL"), "1500")


async def test_transfers_both_ways_at_once_neither_lock_each_other_out_nor_lose_a_cent(database: str) -> None:
    world = await a_world(database)
    other = await wallets.deposit_to_wallet(MANAGER, client="bob", currency="USD", amount=Decimal(2000), key="w2")
    ways: list[tuple[Holder, Holder]] = [(Wallet(world.wallet), House("TREASURY")), (House("TREASURY"), Wallet(other))]
    await asyncio.gather(*(_move(*ways[n % 2], amount="10", kind="FEE") for n in range(40)))
    assert await _balances(world) == {"EXTERNAL": -4000, "TREASURY": 0, "wallet": 1800}
    assert await value("select cash from wallets where id = $1", other) == 2200


async def test_the_ledger_the_terms_and_the_transfers_cannot_be_rewritten(database: str) -> None:
    world = await a_world(database)
    await world.buy()
    for table in ("ledger", "terms", "transfers"):
        for change in (f"delete from {table}", f"truncate {table}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await value(change)
