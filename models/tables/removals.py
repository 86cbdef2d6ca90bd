"""Deletions of programs: their progress, and a record of each deleted sale."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from models.tables.fields import CLOCK, DeskIdentity, Text
from models.tables.keys import TableIndex


class ProgramRemoval(Model):
    """A deletion of a program that is not complete."""

    program_id = fields.BigIntField(primary_key=True, generated=False)
    counters: fields.Field[dict[str, Any]] = fields.JSONField(description="Rows deleted so far, by table")
    hash = Text(description="sha256 over the sales deleted so far, as hex")
    began_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "removals"


class RemovedSale(Model):
    """A sale that was deleted with its program; append only."""

    id = DeskIdentity()
    program_id = fields.BigIntField()
    purchase_id = fields.BigIntField(null=True)
    challenge_id = fields.BigIntField(null=True, description="Null if the purchase had no challenge")
    body = Text(description="Purchase and challenge with verdicts, as the hashed JSON")
    removed_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "removed_sales"
        indexes = (
            TableIndex("program_id", "id", name="removed_sales_program"),
            TableIndex("purchase_id", name="removed_sales_purchase"),
        )
