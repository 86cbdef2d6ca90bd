"""Conversion in the database's path: old rates flagged on fills, positions and breaches, and the pair quoted last."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.instruments import Instrument
from domain.lifecycles import ProgramStatus
from domain.programs import Draft
from services import groups, instruments, programs, purchases, quotes, snapshots, wallets
from tests.services.world import (
    ADMIN,
    CLIENT,
    EVALUATION,
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

FREE = WIDE | {"fee_bps": Decimal(0)}


async def list_instruments(*symbols: str) -> None:
    for symbol in symbols:
        await instruments.save_instrument(
            ADMIN, Instrument(symbol, symbol[:3], symbol[3:], 5, Decimal("0.01"), Decimal("0.01"))
        )


async def buy_in(world: World, currency: str) -> int:
    """Sell alice an evaluation on an account of the currency; return the account."""
    name = f"DEMO_{currency}"
    await groups.save_group(MANAGER, name=name, kind="DEMO", currency=currency, deposit=Decimal(100_000), policy=FREE)
    step = replace(EVALUATION, account_group=name)
    program = await programs.create_program(MANAGER, Draft(f"In {currency}", Decimal(0), "USD", (step,)))
    await programs.update_program(MANAGER, program, expected_version=1, status=ProgramStatus.ACTIVE)
    wallet = await wallets.deposit_to_wallet(MANAGER, client="alice", currency="USD", amount=Decimal(1), key=currency)
    _, challenge = await purchases.buy(CLIENT, program, wallet, currency)
    await settle()
    return await world.account(challenge)


async def test_at_the_weekend_the_last_good_rate_is_flagged_with_its_age(database: str) -> None:
    world = await a_world(database, steps=(EVALUATION,), mid="1.25")
    await list_instruments("BTCUSD")
    await world.quote("10000", symbol="BTCUSD", after=timedelta(seconds=1))
    account = await buy_in(world, "EUR")
    await act(account, "OPEN", action_id="open", symbol="BTCUSD", quantity="5", stop_loss="9500")
    await world.quote("9800", symbol="BTCUSD", after=timedelta(hours=20))
    [shown] = (await snapshots.account_snapshots([account]))[account].holdings
    assert (shown.rate.pairs, shown.rate_age_seconds, shown.rate_stale) == ("EURUSD", 72_001, True)
    reduced = await act(account, "REDUCE", action_id="reduce", symbol="BTCUSD", quantity="1")
    assert reduced.fill
    again = await act(account, "REDUCE", action_id="reduce", symbol="BTCUSD", quantity="1")
    assert again.replayed
    assert again.fill == reduced.fill
    refused = await act(account, "INCREASE", action_id="increase", symbol="BTCUSD", quantity="1")
    assert refused.refusal
    assert (refused.refusal.code, refused.refusal.observed) == ("PRICE_STALE", "72001")
    await world.quote("9500", symbol="BTCUSD")
    fills = await rows("select verb, rate, rate_pairs, rate_time, rate_stale from fills order by seq")
    assert [(fill["verb"], fill["rate_pairs"], fill["rate_stale"]) for fill in fills] == [
        ("OPEN", "EURUSD", False), ("REDUCE", "EURUSD", True), ("CLOSE", "EURUSD", True),
    ]  # fmt: skip
    assert {fill["rate"] for fill in fills} == {Decimal("0.8")}
    assert {fill["rate_time"] for fill in fills} == {world.at - timedelta(hours=20, minutes=1, seconds=1)}
    assert await value("select cash from balances where account_id = $1", account) == Decimal(98_240)
    await books_hold()


async def test_a_breach_at_the_weekend_keeps_prices_rates_and_their_ages(database: str) -> None:
    world = await a_world(database, steps=(EVALUATION,), mid="1.25")
    await list_instruments("BTCUSD")
    await world.quote("10000", symbol="BTCUSD", after=timedelta(seconds=1))
    account = await buy_in(world, "EUR")
    await act(account, "OPEN", action_id="open", symbol="BTCUSD", quantity="5")
    await world.quote("8700", symbol="BTCUSD", after=timedelta(hours=20))
    marks_text = await value("select marks ->> 0 from breaches")
    assert '"rate_age_seconds": 72001' in marks_text
    assert '"rate_pairs": "EURUSD"' in marks_text
    assert await value("select count(*) from positions where status = 'OPEN'") == 0
    assert await value("select cash from balances where account_id = $1", account) == Decimal(94_800)
    await books_hold()


@pytest.mark.parametrize("order", [("BTCUSD", "BTCUSDC"), ("BTCUSDC", "BTCUSD")])
async def test_a_breach_is_found_by_the_pair_that_is_quoted(database: str, order: Sequence[str]) -> None:
    """ETHBTC on dollars: one of two pairs has fallen silent, whichever was listed first."""
    world = await a_world(database, steps=(EVALUATION,))
    silent, quoted = "BTCUSD", "BTCUSDC"
    await list_instruments("ETHBTC")
    for symbol in order:
        await instruments.save_instrument(
            ADMIN, Instrument(symbol, "BTC", symbol[3:], 5, Decimal("0.01"), Decimal("0.01"))
        )
    world.at += timedelta(seconds=1)
    await quotes.ingest([a_quote(symbol, "60000", world.at) for symbol in (silent, quoted)])
    await world.quote("0.05", symbol="ETHBTC", after=timedelta(seconds=1))
    account = await buy_in(world, "USD")
    await act(account, "OPEN", action_id="open", symbol="ETHBTC", quantity="20")
    await world.quote("60000", symbol=quoted, after=timedelta(hours=2))
    await world.quote("0.0455", symbol="ETHBTC", after=timedelta(seconds=1))  # -0.09 BTC
    [breach] = await rows("select rule, observed from breaches")
    assert (breach["rule"], breach["observed"]) == ("MAX_DAILY_LOSS", Decimal(94_600))
    assert await value("select cash from balances where account_id = $1", account) == Decimal(94_600)
    assert '"rate_pairs": "BTCUSDC"' in await value("select marks ->> 0 from breaches")
    await books_hold()
