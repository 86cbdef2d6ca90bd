"""Currencies: made by an admin, never changed under amounts or values that exist."""

from decimal import Decimal

import pytest

from domain.errors import Forbidden, InUse, InvalidInput, VersionConflict
from domain.instruments import Currency, Instrument, InstrumentKind
from services import currencies, instruments
from services.saving import FieldChange
from services.unit_of_work.openings import transaction
from tests.services.builders import ADMIN, MANAGER
from tests.services.world import a_world, act, value


async def test_a_currency_is_made_and_changed_field_by_field(database: str) -> None:
    saved = await currencies.update_currency(ADMIN, "SEK", {"minor_units": 2}, expected_version=0)
    assert saved.changes == [
        FieldChange("code", None, "SEK"),
        FieldChange("minorUnits", None, "2"),
        FieldChange("par", None, "SEK"),
    ]
    saved = await currencies.update_currency(ADMIN, "SEK", {"par": "NOK"}, expected_version=1)
    assert saved.changes == [FieldChange("par", "SEK", "NOK")]
    saved = await currencies.update_currency(ADMIN, "SEK", {"minor_units": 0, "par": None}, expected_version=2)
    assert saved.changes == [FieldChange("minorUnits", "2", "0"), FieldChange("par", "NOK", "SEK")]
    async with transaction() as work:
        assert work.catalogue.currencies["SEK"] == Currency("SEK", 0, "SEK")
    with pytest.raises(VersionConflict):
        await currencies.update_currency(ADMIN, "SEK", {"minor_units": 2}, expected_version=1)
    with pytest.raises(Forbidden):
        await currencies.update_currency(MANAGER, "SEK", {"minor_units": 2})
    for code, values, field in (
        ("sek", {"minor_units": 2}, "code"),
        ("DKK", {}, "minorUnits"),
        ("DKK", {"minor_units": 9}, "minorUnits"),
        ("SEK", {"minor_units": None}, "minorUnits"),
        ("SEK", {"par": "se k"}, "par"),
    ):
        with pytest.raises(InvalidInput) as refusal:
            await currencies.update_currency(ADMIN, code, values)
        assert refusal.value.field == field


async def test_minor_units_of_a_currency_in_use_only_rise(database: str) -> None:
    await a_world(database)
    with pytest.raises(InUse) as refusal:
        await currencies.update_currency(ADMIN, "USD", {"minor_units": 0})
    assert refusal.value.facts["account_groups"] == 2
    assert (await currencies.update_currency(ADMIN, "USD", {"minor_units": 3})).changes == [
        FieldChange("minorUnits", "2", "3")
    ]


async def test_a_par_group_stays_while_something_open_is_converted(database: str) -> None:
    world = await a_world(database)
    bitcoin = Instrument("BTCUSDT", "BTC", "USDT", 2, Decimal("0.0001"), Decimal("0.0001"), InstrumentKind.CRYPTO)
    await instruments.save_instrument(ADMIN, bitcoin)
    await currencies.update_currency(ADMIN, "USDT", {"par": "USD"})
    await world.quote("60000.00", symbol="BTCUSDT")
    _, account = await world.buy()
    opened = await act(account, "OPEN", action_id="a1", symbol="BTCUSDT", quantity="0.1")
    assert opened.fill and opened.fill.rate == 1  # at par without a quote of USDT
    with pytest.raises(InUse) as refusal:
        await currencies.update_currency(ADMIN, "USDT", {"par": "USDT"})
    assert refusal.value.facts == {"positions": f"{account}-{opened.fill.position_seq}"}
    await act(account, "CLOSE", action_id="a2", symbol="BTCUSDT")
    await currencies.update_currency(ADMIN, "USDT", {"par": None})
    with pytest.raises(InvalidInput, match="nothing to trade in EURUSD"):
        await currencies.update_currency(ADMIN, "EUR", {"par": "USD"})
    assert await value("select par from currencies where code = 'EUR'") == "EUR"


async def test_a_par_group_that_bears_a_currencys_code_holds_that_currency(database: str) -> None:
    with pytest.raises(InvalidInput, match="par is that of USDC, which is worth the same as USD: name USD"):
        await currencies.update_currency(ADMIN, "USDP", {"minor_units": 2, "par": "USDC"})
    await currencies.update_currency(ADMIN, "USDP", {"minor_units": 2, "par": "USDT"})
    with pytest.raises(InUse) as refusal:
        await currencies.update_currency(ADMIN, "USDT", {"par": "USD"})
    assert refusal.value.facts == {"currencies": "USDP"}
    await currencies.update_currency(ADMIN, "USDP", {"par": "STABLE"})
    assert (await currencies.update_currency(ADMIN, "USDT", {"par": "STABLE"})).changes == [
        FieldChange("par", "USDT", "STABLE")
    ]
    with pytest.raises(InUse):
        await currencies.update_currency(ADMIN, "STABLE", {"minor_units": 2, "par": "USD"})
