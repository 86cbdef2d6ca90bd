"""Instruments, their names, and the version of the catalogue."""

from tortoise import fields
from tortoise.models import Model

from domain.instruments import GuardMode, InstrumentKind, InstrumentStatus
from models.tables.fields import NOW, Choice, Money, Text, reference
from models.tables.keys import TableIndex


class Instrument(Model):
    """An instrument that can be traded."""

    symbol = Text(primary_key=True)
    base_currency = reference(
        "Currency", column="base_currency", null=True, description="Null if the underlying is no currency"
    )
    quote_currency = reference("Currency", column="quote_currency")
    price_precision = fields.SmallIntField(description="Decimal places of a price")
    quantity_step = Money(description="Quantities are multiples of it")
    quantity_min = Money()
    created_at = fields.DatetimeField(db_default=NOW)
    kind = Choice(InstrumentKind, db_default="FOREX")
    notional_min = Money(db_default=0, description="Least notional of an order in the quote currency; 0: no limit")
    contract_size = Money(db_default=1, description="Units of the underlying in one lot")
    status = Choice(InstrumentStatus, db_default="ACTIVE")
    version = fields.IntField(db_default=1, description="Raised by every change")
    updated_at = fields.DatetimeField(db_default=NOW)
    guard_mode = Choice(GuardMode, db_default="OFF", description="Mode of the quote guard")
    guard_move_pct = Money(db_default=0, description="Largest move from the last good quote, in percent; 0: no limit")
    guard_move_seconds = fields.IntField(db_default=60, description="Seconds within which the move is measured")
    guard_spread_pct = Money(db_default=0, description="Widest spread, in percent; 0: no limit")
    guard_frozen_seconds = fields.IntField(
        db_default=0, description="Longest time without a price change, in seconds; 0: no limit"
    )

    class Meta:
        table = "instruments"
        indexes = (
            TableIndex("base_currency", name="instruments_base_currency"),
            TableIndex("quote_currency", name="instruments_quote_currency"),
        )


class InstrumentName(Model):
    """A symbol or an alias, under which feeds quote the instrument."""

    name = Text(primary_key=True)
    instrument = reference("Instrument", column="symbol")
    instrument_id: str

    class Meta:
        table = "instrument_names"
        indexes = (TableIndex("symbol", name="instrument_names_symbol"),)


class CatalogueVersion(Model):
    """One row: a version that every change of instruments or currencies raises, so that processes read them again."""

    id = fields.SmallIntField(primary_key=True, generated=False, db_default=1)
    version = fields.BigIntField(db_default=1)

    class Meta:
        table = "catalogue_version"
