"""A funded phase's profit: held, shared, paid; and what is no profit is no payout."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.instruments import Instrument
from services import instruments, programs, purchases, quotes, wallets
from services.jobs import work_queue
from tests.services.world import (
    ADMIN,
    CLIENT,
    FUNDED,
    MANAGER,
    WIDE,
    World,
    a_quote,
    a_world,
    act,
    books_hold,
    rows,
    settle,
    value,
)

ONE_DAY = replace(FUNDED, phase_index=1, duration_days=1)
FREE = WIDE | {"fee_bps": Decimal(0)}


async def _trades(world: World, account: int, quantity: str, mid: str) -> None:
    """Open at 1.1, close at `mid`, and let the day end."""
    await act(account, "OPEN", action_id="a1", quantity=quantity)
    await world.quote(mid)
    await act(account, "CLOSE", action_id="a2")


@pytest.mark.parametrize(
    ("quantity", "mid", "profit", "amount"),
    [
        ("1000000", "1.11", "10000", "8000"),
        ("1003", "1.10001", "0.01003", "0"),  # the share is below a cent: all of it is the house's
        ("12345", "1.11", "123.45", "98.76"),
        ("12346", "1.11", "123.46", "98.76"),  # 98.768, rounded down
    ],
)
async def test_the_share_is_rounded_down_to_the_minor_unit_and_the_whole_profit_leaves_the_account(
    database: str, quantity: str, mid: str, profit: str, amount: str
) -> None:
    world = await a_world(database, steps=[ONE_DAY], policy=FREE)
    challenge, account = await world.buy()
    await _trades(world, account, quantity, mid)
    await world.quote(mid, after=timedelta(days=1))

    [payout] = await rows("select status, profit, amount, wallet_id, paid_at from payouts")
    assert payout == {
        "status": "PAID", "profit": Decimal(profit), "amount": Decimal(amount), "wallet_id": world.wallet,
        "paid_at": world.at,
    }  # fmt: skip
    assert await value("select cash from balances where account_id = $1", account) == 100_000
    assert await value("select cash from wallets") == 1500 + Decimal(amount)
    houses = await rows("select purpose, balance from house_accounts where currency = 'USD'")
    assert {row["purpose"]: row["balance"] for row in houses} == {
        "EXTERNAL": -2000,
        "TREASURY": 500 - Decimal(amount),
        "CAPITAL": -100_000 + Decimal(profit),
        "PAYOUT_HOLD": 0,
    }
    assert await value("select status from accounts where id = $1", account) == "COMPLETED"
    assert await value("select status from challenges where id = $1", challenge) == 2
    await books_hold()


@pytest.mark.parametrize("mid", ["1.1", "1.09"])
async def test_without_a_profit_there_is_no_payout(database: str, mid: str) -> None:
    world = await a_world(database, steps=[ONE_DAY], policy=FREE)
    challenge, account = await world.buy()
    await _trades(world, account, "100000", mid)
    await world.quote(mid, after=timedelta(days=1))
    assert await value("select count(*) from payouts") == 0
    assert await value("select status from challenges where id = $1", challenge) == 2
    await books_hold()


async def test_a_position_open_at_the_end_is_closed_first_and_its_result_counts(database: str) -> None:
    world = await a_world(database, steps=[ONE_DAY], policy=FREE)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await world.quote("1.12", after=timedelta(days=1))
    assert await value("select profit from payouts") == 2000
    assert await value("select count(*) from positions where status = 'OPEN'") == 0
    await books_hold()


async def test_the_profit_is_held_from_the_moment_the_account_completes(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def waits(*_: object) -> str:
        raise RuntimeError

    world = await a_world(database, steps=[ONE_DAY], policy=FREE)
    _, account = await world.buy()
    await _trades(world, account, "100000", "1.12")
    monkeypatch.setitem(work_queue.HANDLERS, "pay_payout", waits)
    await world.quote("1.12", after=timedelta(days=1))
    assert await value("select status from payouts") == "APPROVED"
    assert await value("select balance from house_accounts where purpose = 'PAYOUT_HOLD'") == 2000
    assert await value("select cash from balances where account_id = $1", account) == 100_000
    await books_hold()


async def test_the_share_is_paid_in_the_accounts_currency_whatever_the_fee_was_paid_in(database: str) -> None:
    world = await a_world(database, steps=[ONE_DAY], policy=FREE)
    await instruments.save_instrument(ADMIN, Instrument("EURGBP", "EUR", "GBP", 5, Decimal(1), Decimal(1000)))
    await quotes.ingest([a_quote("EURUSD", "1.1", world.at)])
    await programs.update_program(
        MANAGER, world.program, expected_version=2, changes={"price": Decimal(400), "price_currency": "EUR"}
    )
    euros = await wallets.deposit_to_wallet(MANAGER, client="alice", currency="EUR", amount=Decimal(400), key="w2")
    _, challenge = await purchases.buy(CLIENT, world.program, euros, "k1")
    await settle()
    await _trades(world, await world.account(challenge), "100000", "1.12")
    await world.quote("1.12", after=timedelta(days=1))
    assert await rows("select currency, cash from wallets order by currency") == [
        {"currency": "EUR", "cash": 0},
        {"currency": "USD", "cash": 3600},
    ]
    await books_hold()
