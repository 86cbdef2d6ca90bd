"""Currencies, with minor units and par groups."""

from tortoise import fields
from tortoise.models import Model

from models.tables.fields import NOW, Text


class Currency(Model):
    """A currency."""

    code = Text(primary_key=True)
    minor_units = fields.SmallIntField()
    par = Text(description="Par group: currencies of one group have the same value")
    version = fields.IntField(db_default=1, description="Raised by every change")
    updated_at = fields.DatetimeField(db_default=NOW)

    class Meta:
        table = "currencies"
