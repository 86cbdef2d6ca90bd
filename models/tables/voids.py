"""Voids: quotes that are declared wrong."""

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.tables.fields import CLOCK, DeskIdentity, Text, reference


class QuoteVoid(Model):
    """Quotes of a symbol that are declared wrong, by their source times; the quotes themselves stay. Append only."""

    id = DeskIdentity()
    instrument = reference("Instrument", column="symbol")
    source_from = fields.DatetimeField(description="The first source time that is void")
    source_before = fields.DatetimeField(description="The first source time after it that is not")
    first_batch = fields.BigIntField(description="Of the first void quote")
    last_batch = fields.BigIntField(description="Of the last void quote")
    quotes = fields.IntField(description="How many quotes are void")
    reason = Text()
    actor = Text(description="Role and name of the bearer")
    recorded_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "quote_voids"
        constraints = (UniqueConstraint(("symbol", "source_from", "source_before"), "quote_voids_span"),)
