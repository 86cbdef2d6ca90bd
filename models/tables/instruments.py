"""Instruments, and the version that tells every process to read the catalogue again."""

from tortoise import fields
from tortoise.models import Model

from models.tables.fields import NOW, Money, Text, reference
from models.tables.keys import TableIndex


class Instrument(Model):
    """What can be traded."""

    symbol = Text(primary_key=True)
    base_currency = reference("Currency", column="base_currency")
    quote_currency = reference("Currency", column="quote_currency")
    price_precision = fields.SmallIntField(description="Decimal places of a price")
    quantity_step = Money(description="Quantities are multiples of it")
    quantity_min = Money()
    created_at = fields.DatetimeField(db_default=NOW)

    class Meta:
        table = "instruments"
        indexes = (
            TableIndex("base_currency", name="instruments_base_currency"),
            TableIndex("quote_currency", name="instruments_quote_currency"),
        )


class CatalogueVersion(Model):
    """One row: raised with every change of instruments or currencies, so that processes read them again."""

    id = fields.SmallIntField(primary_key=True, generated=False, db_default=1)
    version = fields.BigIntField(db_default=1)

    class Meta:
        table = "catalogue_version"
