"""Currencies: how many minor units an amount has, and which currencies are worth the same."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from tortoise.expressions import RawSQL

from domain.errors import InUse, InvalidInput
from domain.instruments import Currency
from domain.money import PLACES
from domain.validation import Range
from models import currencies as rows
from models import instruments, name_locks
from models.tables.currencies import Currency as CurrencyRow
from services.instruments import NAMED_MAX, TURN
from services.principals import Principal, Role
from services.saving import SavedObject, check_version, filled_fields
from services.unit_of_work.openings import transaction
from services.unit_of_work.unit import UnitOfWork

CODE = re.compile(r"[A-Z0-9]{2,10}")
CODE_RULE = "must be 2 to 10 capital letters or digits"
MINOR_UNITS = Range(most=Decimal(PLACES), places=0)


async def update_currency(
    principal: Principal, code: str, values: Mapping[str, Any], *, expected_version: int | None = None
) -> SavedObject:
    """Create the currency, or change its minor units and par group. ADMIN only.

    The minor units of a currency in use may only rise: amounts booked in it stay whole. The par group may change while
    no open position and no working order is valued by conversion: it decides what those are worth. A group that bears
    the code of a currency holds that currency.
    Raises Forbidden, InvalidInput, VersionConflict, InUse.
    """
    principal.require(Role.ADMIN)
    if not CODE.fullmatch(code):
        raise InvalidInput("code", reason=CODE_RULE)
    async with transaction() as work:
        await name_locks.lock_name(work.conn, TURN)
        if "par" in values:
            await name_locks.stop_trading(work.conn)
        await work.refresh_market()
        before = work.catalogue.currencies.get(code)
        row = await CurrencyRow.get_or_none(code=code)
        check_version(expected_version, row.version if row else 0)
        stored = None if before is None else asdict(before)
        currency = Currency(**{**filled_fields(stored, values, {"par": code}, ["minor_units"]), "code": code})
        _check(work, currency)
        saved = SavedObject(code, stored, asdict(currency))
        if currency != before:
            if before is not None:
                await _require_unused(work, before, currency)
            await _write(work, currency, row)
            work.audit(
                principal,
                "saveCurrency",
                object_kind="currency",
                object_id=code,
                before=saved.before,
                after=saved.after,
            )
    return saved


def _check(work: UnitOfWork, currency: Currency) -> None:
    if fault := MINOR_UNITS.fault(currency.minor_units):
        raise InvalidInput("minorUnits", reason=fault)
    if not CODE.fullmatch(currency.par):
        raise InvalidInput("par", reason=CODE_RULE)
    others = {one.code: one.par for one in work.catalogue.currencies.values() if one.code != currency.code}
    own = others.get(currency.par, currency.par)
    if own != currency.par:
        raise InvalidInput("par", reason=f"is that of {currency.par}, which is worth the same as {own}: name {own}")
    members = sorted(code for code, par in others.items() if par == currency.code)
    if members and currency.par != currency.code:
        raise InUse("par", currencies=", ".join(members))


async def _require_unused(work: UnitOfWork, before: Currency, currency: Currency) -> None:
    """Raise InUse where the change would alter amounts or values that exist."""
    if currency.minor_units < before.minor_units and (users := await rows.users(work.conn, currency.code)):
        raise InUse("minorUnits", **users)
    if currency.par == before.par:
        return
    pars = {one.code: one.par for one in work.catalogue.currencies.values()} | {currency.code: currency.par}
    for one in work.catalogue.instruments.values():
        if one.base_currency is not None and pars[one.base_currency] == pars[one.quote_currency]:
            raise InvalidInput("par", reason=f"would leave nothing to trade in {one.symbol}")
    if holders := await instruments.converted_holders(work.conn, NAMED_MAX):
        raise InUse("par", **{kind: ", ".join(names) for kind, names in holders.items()})


async def _write(work: UnitOfWork, currency: Currency, row: CurrencyRow | None) -> None:
    columns: dict[str, Any] = {"minor_units": currency.minor_units, "par": currency.par}
    if row is None:
        await CurrencyRow.create(code=currency.code, **columns)
    else:
        changes = columns | {"version": row.version + 1, "updated_at": RawSQL("now()")}
        await CurrencyRow.filter(code=currency.code).update(**changes)
    await instruments.raise_catalogue_version(work.conn)
