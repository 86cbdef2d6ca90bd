"""Instruments: what can be traded, and the names that feeds use for it."""

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from decimal import Decimal
from typing import Any

from tortoise.expressions import RawSQL

from domain.errors import AlreadyExists, InUse, InvalidInput, NotFound
from domain.instruments import SYMBOL, SYMBOL_RULE, Guard, Instrument, InstrumentKind, InstrumentStatus
from domain.ledger import Facts
from domain.money import ONE, PLACES, PRICE_PLACES, ZERO
from domain.money import plain as plain_text
from domain.quote_guard import DEFAULTS as GUARDS
from domain.validation import Range, amount_range, api_name
from models import instruments as rows
from models import name_locks
from models.tables.instruments import Instrument as InstrumentRow
from services.principals import Principal, Role
from services.saving import SavedObject, check_version, filled_fields
from services.unit_of_work.openings import transaction
from services.unit_of_work.unit import UnitOfWork

TURN = "catalogue"  # symbols, aliases and currencies are saved one at a time: each is checked against all others
ALIASES_MAX = 20
NAMED_MAX = 20  # positions and orders that a refusal lists
PRECISION = Range(most=Decimal(PRICE_PLACES), places=0)
QUANTITY = amount_range(PLACES)
NOTIONAL = amount_range(PLACES, above=False)
GUARD = {
    "move_pct": Range(most=Decimal(1000)),
    "move_seconds": Range(least=ONE, most=Decimal(86_400), places=0),
    "spread_pct": Range(most=Decimal(200)),
    "frozen_seconds": Range(most=Decimal(86_400), places=0),
}
DEFAULTS = {
    "base_currency": None,
    "kind": InstrumentKind.FOREX,
    "contract_size": ONE,
    "aliases": (),
    "status": InstrumentStatus.ACTIVE,
    "notional_min": ZERO,
}
COLUMNS = {"base_currency": "base_currency_id", "quote_currency": "quote_currency_id"}
NEEDED = ("quote_currency", "price_precision", "quantity_step", "quantity_min")


async def save_instrument(principal: Principal, instrument: Instrument) -> str:
    """Create the instrument, or change all its fields; return its symbol. Raises what `update_instrument` raises."""
    values = {field.name: getattr(instrument, field.name) for field in fields(instrument) if field.name != "symbol"}
    await update_instrument(principal, instrument.symbol, values)
    return instrument.symbol


async def update_instrument(
    principal: Principal, symbol: str, values: Mapping[str, Any], *, expected_version: int | None = None
) -> SavedObject:
    """Create the instrument of this symbol, or change these fields of Instrument. ADMIN only.

    `values` may have guard with some fields of Guard; what is left out stays, and None is the default of the kind.
    The currencies of an existing one stay: its positions were valued in them. Retiring it is refused while positions
    are open or orders work in it. Raises Forbidden, InvalidInput, NotFound, AlreadyExists, VersionConflict, InUse.
    """
    principal.require(Role.ADMIN)
    if not SYMBOL.fullmatch(symbol):
        raise InvalidInput("symbol", reason=SYMBOL_RULE)
    async with transaction() as work:
        await name_locks.lock_name(work.conn, TURN)
        if values.get("status") is InstrumentStatus.RETIRED:
            await name_locks.stop_trading(work.conn)
        await work.refresh_market()
        before = work.catalogue.instruments.get(symbol)
        row = await InstrumentRow.get_or_none(symbol=symbol)
        check_version(expected_version, row.version if row else 0)
        listed = _merged(symbol, before, values)
        _check_numbers(listed)
        _check_names(work, listed)
        _check_currencies(work, before, listed)
        saved = SavedObject(symbol, instrument_facts(before) if before else None, instrument_facts(listed))
        if listed != before:
            if listed.status is InstrumentStatus.RETIRED:
                await _require_unused(work, symbol)
            await _write(work, listed, row)
            work.audit(
                principal,
                "saveInstrument",
                object_kind="instrument",
                object_id=symbol,
                before=saved.before,
                after=saved.after,
            )
    return saved


def _merged(symbol: str, before: Instrument | None, values: Mapping[str, Any]) -> Instrument:
    """Return the instrument with these values, its aliases sorted."""
    stored = None if before is None else {field.name: getattr(before, field.name) for field in fields(before)}
    given = {name: value for name, value in values.items() if name != "guard"}
    listed = Instrument(**{**filled_fields(stored, given, DEFAULTS, NEEDED), "symbol": symbol})
    guard = _guard(listed.kind, before, values.get("guard", {}))
    return replace(listed, aliases=tuple(sorted(listed.aliases)), guard=guard)


def _guard(kind: InstrumentKind, before: Instrument | None, values: Guard | Mapping[str, Any] | None) -> Guard:
    """Return the guard with these fields; None stands for the default of the instrument's kind."""
    if isinstance(values, Guard):
        return values
    of_kind = GUARDS[kind]
    base = of_kind if before is None or values is None else before.guard
    changed = {name: getattr(of_kind, name) if value is None else value for name, value in (values or {}).items()}
    return replace(base, **changed)


async def _write(work: UnitOfWork, listed: Instrument, row: InstrumentRow | None) -> None:
    columns = {COLUMNS.get(name, name): value for name, value in asdict(listed).items()}
    columns |= {f"guard_{name}": value for name, value in columns.pop("guard").items()}
    del columns["symbol"], columns["aliases"]
    if row is None:
        await InstrumentRow.create(symbol=listed.symbol, **columns)
    else:
        changes = columns | {"version": row.version + 1, "updated_at": RawSQL("now()")}
        await InstrumentRow.filter(symbol=listed.symbol).update(**changes)
    await rows.write_names(listed)
    await rows.raise_catalogue_version(work.conn)


async def _require_unused(work: UnitOfWork, symbol: str) -> None:
    """Raise InUse naming open positions and working orders. Trading is locked, so none can be added later."""
    holders = await rows.holders(work.conn, symbol, NAMED_MAX)
    if holders:
        raise InUse("status", **{kind: ", ".join(names) for kind, names in holders.items()})


def instrument_facts(instrument: Instrument) -> Facts:
    """Return the instrument as audit facts."""
    facts = asdict(instrument) | {"aliases": list(instrument.aliases), "guard": _texts(asdict(instrument.guard))}
    return _texts(facts)


def _texts(facts: Facts) -> Facts:
    return {name: plain_text(value) if isinstance(value, Decimal) else value for name, value in facts.items()}


def _check_numbers(instrument: Instrument) -> None:
    faults = {
        "pricePrecision": PRECISION.fault(instrument.price_precision),
        "quantityStep": QUANTITY.fault(instrument.quantity_step),
        "quantityMin": QUANTITY.fault(instrument.quantity_min),
        "contractSize": QUANTITY.fault(instrument.contract_size),
        "notionalMin": NOTIONAL.fault(instrument.notional_min),
        **{f"guard.{api_name(name)}": within.fault(getattr(instrument.guard, name)) for name, within in GUARD.items()},
    }
    for field, fault in faults.items():
        if fault:
            raise InvalidInput(field, reason=fault)
    if instrument.quantity_min % instrument.quantity_step:
        raise InvalidInput("quantityMin", reason="must be a multiple of quantityStep")


def _check_names(work: UnitOfWork, instrument: Instrument) -> None:
    """Raise InvalidInput or AlreadyExists unless every name is usable and means this instrument alone."""
    names = (instrument.symbol, *instrument.aliases)
    if len(instrument.aliases) > ALIASES_MAX:
        raise InvalidInput("aliases", size_max=ALIASES_MAX, size=len(instrument.aliases))
    for place, name in enumerate(names):
        field = "aliases" if place else "symbol"
        if not SYMBOL.fullmatch(name):
            raise InvalidInput(field, reason=SYMBOL_RULE, name=name[:64])
        if name in names[:place]:
            raise InvalidInput(field, reason="name the instrument twice", name=name)
        owner = work.catalogue.names.get(name, instrument.symbol)
        if owner != instrument.symbol:
            raise AlreadyExists(field, name=name, instrument=owner)


def _check_currencies(work: UnitOfWork, before: Instrument | None, instrument: Instrument) -> None:
    currencies = work.catalogue.currencies
    pair = (("baseCurrency", instrument.base_currency), ("quoteCurrency", instrument.quote_currency))
    for field, code in pair:
        if code is not None and code not in currencies:
            raise NotFound(field, currency=code)
    for (field, code), stored in zip(pair, _currencies(before), strict=False):
        if code != stored:
            raise InvalidInput(field, reason="of an existing instrument cannot change", stored=stored)
    if instrument.base_currency is None:
        if instrument.kind is InstrumentKind.FOREX:
            raise InvalidInput(
                "baseCurrency", reason="is needed for the kind FOREX; for an index or a share name its kind"
            )
    elif currencies[instrument.base_currency].par == currencies[instrument.quote_currency].par:
        raise InvalidInput("quoteCurrency", reason="is worth the same as baseCurrency: there is nothing to trade")


def _currencies(instrument: Instrument | None) -> tuple[str | None, ...]:
    return () if instrument is None else (instrument.base_currency, instrument.quote_currency)
