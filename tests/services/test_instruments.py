"""Instruments: what the desk takes, and that every process learns of it."""

import asyncio
from contextvars import Context
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from config.database import pool
from domain import execution
from domain.errors import AlreadyExists, Forbidden, InUse, InvalidInput, NotFound, Refused, VersionConflict
from domain.instruments import Instrument, InstrumentKind, InstrumentStatus
from domain.lifecycles import ActionStatus
from domain.orders import ActionResult
from services import instruments, quotes
from services.saving import FieldChange
from services.unit_of_work.openings import root_transaction, transaction
from services.unit_of_work.roots import LockRoot
from tests.services.builders import ADMIN, EURUSD, MANAGER
from tests.services.world import World, a_quote, a_world, act, an_action, books_hold, value, waits


async def _version() -> int:
    version: int = await pool().fetchval("select version from catalogue_version")
    return version


async def test_what_is_saved_is_in_the_next_units_catalogue(database: str) -> None:
    async with transaction() as work:
        assert work.catalogue.instruments == {}
    before = await _version()
    assert await instruments.save_instrument(ADMIN, EURUSD) == "EURUSD"
    assert await _version() == before + 1
    async with transaction() as work:
        assert work.catalogue.instruments == {"EURUSD": EURUSD}
    finer = replace(EURUSD, quantity_step=Decimal("0.001"), price_precision=6)
    await instruments.save_instrument(ADMIN, finer)
    async with transaction() as work:
        assert work.catalogue.instruments == {"EURUSD": finer}


async def test_only_an_admin_saves_one(database: str) -> None:
    with pytest.raises(Forbidden):
        await instruments.save_instrument(MANAGER, EURUSD)


BAD: list[tuple[dict[str, Any], type[Refused], str]] = [
    ({"symbol": "EUR,USD"}, InvalidInput, "symbol"),
    ({"symbol": " EURUSD"}, InvalidInput, "symbol"),
    ({"symbol": "._-"}, InvalidInput, "symbol"),
    ({"symbol": "E" * 33}, InvalidInput, "symbol"),
    ({"symbol": "EURUSD\n"}, InvalidInput, "symbol"),
    ({"symbol": ""}, InvalidInput, "symbol"),
    ({"base_currency": "XXX"}, NotFound, "baseCurrency"),
    ({"quote_currency": "XXX"}, NotFound, "quoteCurrency"),
    ({"base_currency": "USDC"}, InvalidInput, "quoteCurrency"),
    ({"price_precision": 13}, InvalidInput, "pricePrecision"),
    ({"price_precision": -1}, InvalidInput, "pricePrecision"),
    ({"quantity_step": Decimal(0)}, InvalidInput, "quantityStep"),
    ({"quantity_step": Decimal("NaN")}, InvalidInput, "quantityStep"),
    ({"quantity_step": Decimal("1e-9")}, InvalidInput, "quantityStep"),
    ({"quantity_min": Decimal("1e10")}, InvalidInput, "quantityMin"),
    ({"quantity_min": Decimal("0.015")}, InvalidInput, "quantityMin"),
    ({"contract_size": Decimal(0)}, InvalidInput, "contractSize"),
    ({"notional_min": Decimal(-1)}, InvalidInput, "notionalMin"),
    ({"notional_min": Decimal("1e-9")}, InvalidInput, "notionalMin"),
    ({"base_currency": None}, InvalidInput, "baseCurrency"),
    ({"aliases": ("eur,usd",)}, InvalidInput, "aliases"),
    ({"aliases": ("Euro", "Euro")}, InvalidInput, "aliases"),
    ({"aliases": ("EURUSD",)}, InvalidInput, "aliases"),
    ({"aliases": tuple(f"E{n}" for n in range(21))}, InvalidInput, "aliases"),
]


async def test_a_bad_field_is_named_and_nothing_written(database: str) -> None:
    before = await _version()
    for changes, kind, field in BAD:
        with pytest.raises(kind) as refusal:
            await instruments.save_instrument(ADMIN, replace(EURUSD, **changes))
        assert refusal.value.field == field, changes
    assert await _version() == before


async def test_the_currencies_of_one_that_exists_stay(database: str) -> None:
    await instruments.save_instrument(ADMIN, EURUSD)
    with pytest.raises(InvalidInput) as refusal:
        await instruments.save_instrument(ADMIN, replace(EURUSD, quote_currency="CHF"))
    assert refusal.value.field == "quoteCurrency"


US30 = Instrument(
    "US30.cash", None, "USD", 2, Decimal("0.1"), Decimal("0.1"), InstrumentKind.INDEX, Decimal(5), ("DJI", "US30")
)
RETIRED = {"status": InstrumentStatus.RETIRED}


async def _open_us30(world: World, verb: str = "OPEN", **size: str) -> tuple[int, ActionResult]:
    """Save and quote US30.cash, buy the program, and act on its account."""
    await instruments.save_instrument(ADMIN, US30)
    await world.quote("39000.00", symbol="US30.cash")
    _, account = await world.buy()
    return account, await act(account, verb, action_id="a1", symbol="US30.cash", **size)


@pytest.mark.parametrize("symbol", ["US30.cash", "EUR/USD", "EURUSDm", "VoWG_p", "#AAPL", "BRK.B", "US 30", "^GSPC"])
async def test_a_symbol_is_kept_as_the_firm_writes_it(database: str, symbol: str) -> None:
    assert await instruments.save_instrument(ADMIN, replace(EURUSD, symbol=symbol)) == symbol
    assert await value("select symbol from instruments") == symbol


async def test_what_is_left_out_stays_and_null_is_the_default(database: str) -> None:
    await instruments.save_instrument(ADMIN, US30)
    saved = await instruments.update_instrument(ADMIN, "US30.cash", {"contract_size": Decimal(1)}, expected_version=1)
    assert saved.changes == [FieldChange("contractSize", "5", "1")]
    saved = await instruments.update_instrument(ADMIN, "US30.cash", {"aliases": None}, expected_version=2)
    assert saved.changes == [FieldChange("aliases", "DJI, US30", "")]
    with pytest.raises(VersionConflict):
        await instruments.update_instrument(ADMIN, "US30.cash", {"price_precision": 1}, expected_version=2)
    with pytest.raises(InvalidInput, match="cannot be null"):
        await instruments.update_instrument(ADMIN, "US30.cash", {"quantity_step": None})
    before = await _version()
    assert (await instruments.update_instrument(ADMIN, "US30.cash", {"price_precision": 2})).changes == []
    assert await _version() == before
    async with transaction() as work:
        assert work.catalogue.instruments["US30.cash"] == replace(US30, contract_size=Decimal(1), aliases=())
    with pytest.raises(InvalidInput) as refusal:
        await instruments.update_instrument(ADMIN, "GER40", {"kind": InstrumentKind.INDEX})
    assert refusal.value.field == "quoteCurrency"
    with pytest.raises(VersionConflict):
        await instruments.update_instrument(ADMIN, "GER40", {}, expected_version=1)


async def test_a_feed_quotes_an_instrument_by_any_of_its_names(database: str) -> None:
    world = await a_world(database)
    await instruments.save_instrument(ADMIN, US30)
    for name, mid in (("US30", "39000"), ("DJI", "39010"), ("US30.cash", "39030")):
        taken = await quotes.ingest([a_quote(name, mid, world.at)])
        assert (taken.accepted, taken.dropped) == (1, []), name
    assert await value("select bid from latest_quotes where symbol = 'US30.cash'") == Decimal("39029.99999")
    # Two names of one instrument in one hand-in are two batches: neither hides the other.
    taken = await quotes.ingest([a_quote("US30", "1", world.at), a_quote("DJI", "2", world.at)])
    assert len(taken.batches) == 2
    taken = await quotes.ingest([a_quote("us30", "1", world.at), a_quote("US30", "-1", world.at)])
    assert taken.dropped == [("US30.cash", "NOT_POSITIVE", 1), ("us30", "UNKNOWN_SYMBOL", 1)]


async def test_of_many_that_claim_a_name_at_once_one_has_it(database: str) -> None:
    await instruments.save_instrument(ADMIN, EURUSD)
    claims = [replace(US30, symbol=f"I{n}", aliases=("Shared",)) for n in range(4)]
    claims += [replace(US30, symbol="Shared", aliases=()), replace(US30, symbol="I9", aliases=("EURUSD",))]
    results = await asyncio.gather(*(instruments.save_instrument(ADMIN, one) for one in claims), return_exceptions=True)
    assert [type(one) for one in results].count(AlreadyExists) == 5
    assert sum(isinstance(one, str) for one in results) == 1
    assert await value("select count(*) from instrument_names where name = 'Shared'") == 1
    with pytest.raises(AlreadyExists) as refusal:
        await instruments.update_instrument(ADMIN, "EURUSD", {"aliases": ("Shared",)})
    assert refusal.value.field == "aliases"


async def test_an_index_is_worth_its_points_and_lots_are_converted_at_the_door(database: str) -> None:
    world = await a_world(database)
    account, result = await _open_us30(world, lots="0.2")
    assert result.status is ActionStatus.EXECUTED, result.refusal
    assert result.fill and [result.fill.quantity, result.fill.fee] == [1, 39]  # 0.2 lots of 5 points; 10 bps of 39,000
    await world.quote("39100.00", symbol="US30.cash")
    assert await value("select unrealised from balances where account_id = $1", account) == 100
    for action, given, code in (
        ("a2", {"lots": "0.001"}, "QUANTITY_MIN"),
        ("a3", {"lots": "0.0301"}, "QUANTITY_STEP"),
        ("a4", {"lots": "x"}, "INVALID_QUANTITY"),
        ("a5", {"lots": "1", "quantity": "1"}, "INVALID_QUANTITY"),
        ("a6", {"lots": "99999999999999999999"}, "INVALID_QUANTITY"),
    ):
        refused = await act(account, "INCREASE", action_id=action, symbol="US30.cash", **given)
        assert refused.refusal and refused.refusal.code == code, action
    reduced = await act(account, "REDUCE", action_id="a7", symbol="US30.cash", lots="0.1")
    assert reduced.fill and reduced.fill.quantity == Decimal("0.5")
    # The contract size belongs to the door alone: what is open keeps its worth.
    await instruments.update_instrument(ADMIN, "US30.cash", {"contract_size": Decimal(10)})
    await world.quote("39200.00", symbol="US30.cash")
    assert await value("select unrealised from balances where account_id = $1", account) == 100
    await books_hold()


async def test_an_instrument_s_least_notional_is_saved_and_stops_dust(database: str) -> None:
    await instruments.save_instrument(ADMIN, US30)
    saved = await instruments.update_instrument(ADMIN, "US30.cash", {"notional_min": Decimal(5000)})
    assert saved.changes == [FieldChange("notionalMin", "0", "5000")]
    world = await a_world(database)
    await world.quote("39000.00", symbol="US30.cash")
    _, account = await world.buy()
    dust = await act(account, "OPEN", action_id="a1", symbol="US30.cash", quantity="0.1")
    assert dust.refusal
    assert (dust.refusal.code, dust.refusal.limit, dust.refusal.observed) == ("NOTIONAL_MIN", "5000", "3900")
    assert (await act(account, "OPEN", action_id="a2", symbol="US30.cash", quantity="0.2")).fill
    part = await act(account, "REDUCE", action_id="a3", symbol="US30.cash", quantity="0.1")
    assert part.refusal
    assert part.refusal.code == "NOTIONAL_MIN"
    assert (await act(account, "CLOSE", action_id="a4", symbol="US30.cash")).fill
    assert (await instruments.update_instrument(ADMIN, "US30.cash", {"notional_min": None})).changes == [
        FieldChange("notionalMin", "5000", "0")
    ]


async def test_an_instrument_in_use_is_not_retired_and_what_holds_it_is_named(database: str) -> None:
    world = await a_world(database)
    account, opened = await _open_us30(world, quantity="1", stop_loss="38000")
    with pytest.raises(InUse) as refusal:
        await instruments.update_instrument(ADMIN, "US30.cash", RETIRED)
    stop = await value("select seq from orders where status = 'WORKING'")
    assert opened.fill
    position = opened.fill.position_seq
    assert refusal.value.facts == {"positions": f"{account}-{position}", "orders": f"{account}-{stop}"}
    await act(account, "CLOSE", action_id="a2", symbol="US30.cash")
    assert (await instruments.update_instrument(ADMIN, "US30.cash", RETIRED)).changes == [
        FieldChange("status", "ACTIVE", "RETIRED")
    ]
    refused = await act(account, "OPEN", action_id="a3", symbol="US30.cash", quantity="1")
    assert refused.refusal and refused.refusal.code == "ASSET_NOT_ALLOWED"
    assert (await quotes.ingest([a_quote("US30", "39000", world.at)])).accepted == 1
    await instruments.update_instrument(ADMIN, "US30.cash", {"status": InstrumentStatus.ACTIVE})
    assert (await act(account, "OPEN", action_id="a4", symbol="US30.cash", quantity="1")).fill


async def test_a_retirement_waits_for_the_trades_under_way(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    async with root_transaction(LockRoot.of_challenge(challenge)) as work:  # has read the catalogue
        held = work.locked_account(account)
        retiring = asyncio.create_task(instruments.update_instrument(ADMIN, "EURUSD", RETIRED), context=Context())
        await waits(database)
        held.account, [opened] = execution.submit(
            held.account, [an_action()], {}, work.moment, held.conditions, work.journal
        )
        assert opened.fill
    with pytest.raises(InUse):
        await retiring
