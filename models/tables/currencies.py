"""Currencies: their minor units, and which are worth the same."""

from tortoise import fields
from tortoise.models import Model

from models.tables.fields import Text


class Currency(Model):
    """A currency."""

    code = Text(primary_key=True)
    minor_units = fields.SmallIntField()
    par = Text(description="Currencies of one par are worth the same")

    class Meta:
        table = "currencies"
