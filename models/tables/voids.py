"""Void quotes."""

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.tables.fields import CLOCK, DeskIdentity, Text, reference


class QuoteVoid(Model):
    """A span of source times of a symbol whose quotes are declared wrong; the quotes are kept. Append only."""

    id = DeskIdentity()
    instrument = reference("Instrument", column="symbol")
    source_from = fields.DatetimeField(description="First void source time")
    source_before = fields.DatetimeField(description="End of the span: the first source time that is not void")
    first_batch = fields.BigIntField(description="Batch of the first void quote")
    last_batch = fields.BigIntField(description="Batch of the last void quote")
    quotes = fields.IntField(description="Number of void quotes")
    reason = Text()
    actor = Text(description="Role and name of the token")
    recorded_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "quote_voids"
        constraints = (UniqueConstraint(("symbol", "source_from", "source_before"), "quote_voids_span"),)
