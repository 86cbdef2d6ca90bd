"""Instruments: what the desk takes, and that every process learns of it."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from config.database import pool
from domain.errors import Forbidden, InvalidInput, NotFound, Refused
from services import instruments
from services.unit import plain
from tests.services.builders import ADMIN, EURUSD, MANAGER


async def _version() -> int:
    version: int = await pool().fetchval("select version from catalogue_version")
    return version


async def test_what_is_saved_is_in_the_next_units_catalogue(database: str) -> None:
    async with plain() as work:
        assert work.catalogue.instruments == {}
    before = await _version()
    assert await instruments.save(ADMIN, EURUSD) == "EURUSD"
    assert await _version() == before + 1
    async with plain() as work:
        assert work.catalogue.instruments == {"EURUSD": EURUSD}
    finer = replace(EURUSD, quantity_step=Decimal("0.001"), price_precision=6)
    await instruments.save(ADMIN, finer)
    async with plain() as work:
        assert work.catalogue.instruments == {"EURUSD": finer}


async def test_only_an_admin_saves_one(database: str) -> None:
    with pytest.raises(Forbidden):
        await instruments.save(MANAGER, EURUSD)


BAD: list[tuple[dict[str, Any], type[Refused], str]] = [
    ({"symbol": "eurusd"}, InvalidInput, "symbol"),
    ({"symbol": "EURUSD\n"}, InvalidInput, "symbol"),
    ({"symbol": ""}, InvalidInput, "symbol"),
    ({"base_currency": "XXX"}, NotFound, "baseCurrency"),
    ({"quote_currency": "XXX"}, NotFound, "quoteCurrency"),
    ({"base_currency": "USDC"}, InvalidInput, "quoteCurrency"),
    ({"price_precision": 9}, InvalidInput, "pricePrecision"),
    ({"price_precision": -1}, InvalidInput, "pricePrecision"),
    ({"quantity_step": Decimal(0)}, InvalidInput, "quantityStep"),
    ({"quantity_step": Decimal("NaN")}, InvalidInput, "quantityStep"),
    ({"quantity_step": Decimal("1e-9")}, InvalidInput, "quantityStep"),
    ({"quantity_min": Decimal("1e10")}, InvalidInput, "quantityMin"),
    ({"quantity_min": Decimal("0.015")}, InvalidInput, "quantityMin"),
]


async def test_a_bad_field_is_named_and_nothing_written(database: str) -> None:
    before = await _version()
    for changes, kind, field in BAD:
        with pytest.raises(kind) as refusal:
            await instruments.save(ADMIN, replace(EURUSD, **changes))
        assert refusal.value.field == field, changes
    assert await _version() == before


async def test_the_currencies_of_one_that_exists_stay(database: str) -> None:
    await instruments.save(ADMIN, EURUSD)
    with pytest.raises(InvalidInput) as refusal:
        await instruments.save(ADMIN, replace(EURUSD, quote_currency="CHF"))
    assert refusal.value.field == "quoteCurrency"
