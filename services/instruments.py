"""Instruments: what can be traded."""

import re
from dataclasses import asdict
from decimal import Decimal

from domain.checks import Within, amount
from domain.errors import InvalidInput, NotFound
from domain.instruments import Instrument
from domain.ledger import Facts
from domain.money import PLACES
from domain.money import plain as plain_text
from models import instruments as rows
from models import turns
from services.principals import Principal, Role
from services.unit import Unit, plain

SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,31}")
PRECISION = Within(most=Decimal(PLACES), places=0)
QUANTITY = amount(PLACES)


async def save(principal: Principal, instrument: Instrument) -> str:
    """Make the instrument, or change its steps and precision; answers its symbol. ADMIN only.

    The currencies of one that exists stay: its positions were valued in them. Raises Forbidden, InvalidInput, NotFound.
    """
    principal.require(Role.ADMIN)
    _check_numbers(instrument)
    async with plain() as work:
        await turns.take(work.conn, f"instrument {instrument.symbol}")
        await work.look()
        _check_currencies(work, instrument)
        if not await rows.upsert(work.conn, instrument):
            raise InvalidInput("quoteCurrency", reason="the currencies of an instrument that exists cannot change")
        await rows.raise_catalogue_version(work.conn)
        before = work.catalogue.instruments.get(instrument.symbol)
        work.audit(
            principal,
            "saveInstrument",
            object_kind="instrument",
            object_id=instrument.symbol,
            before=_facts(before) if before else None,
            after=_facts(instrument),
        )
    return instrument.symbol


def _facts(instrument: Instrument) -> Facts:
    """The instrument as the audit keeps it."""
    return {
        name: plain_text(value) if isinstance(value, Decimal) else value for name, value in asdict(instrument).items()
    }


def _check_numbers(instrument: Instrument) -> None:
    if not SYMBOL.fullmatch(instrument.symbol):
        raise InvalidInput("symbol", reason="must be a capital letter or digit, then at most 31 of A-Z 0-9 . _ -")
    faults = {
        "pricePrecision": PRECISION.fault(instrument.price_precision),
        "quantityStep": QUANTITY.fault(instrument.quantity_step),
        "quantityMin": QUANTITY.fault(instrument.quantity_min),
    }
    for field, fault in faults.items():
        if fault:
            raise InvalidInput(field, reason=fault)
    if instrument.quantity_min % instrument.quantity_step:
        raise InvalidInput("quantityMin", reason="must be a multiple of quantityStep")


def _check_currencies(work: Unit, instrument: Instrument) -> None:
    known = work.catalogue.currencies
    for field, code in (("baseCurrency", instrument.base_currency), ("quoteCurrency", instrument.quote_currency)):
        if code not in known:
            raise NotFound(field, currency=code)
    if known[instrument.base_currency].par == known[instrument.quote_currency].par:
        raise InvalidInput("quoteCurrency", reason="is worth the same as baseCurrency: there is nothing to trade")
