"""Receipts of idempotent requests."""

from typing import Any

from tortoise import fields

from models.tables.fields import CLOCK, Text
from models.tables.keys import CompositeKey


class Receipt(CompositeKey):
    """A request with an idempotency key, and its answer."""

    brand = Text()
    principal = Text()
    operation = Text()
    key = Text(primary_key=True)
    content: fields.Field[dict[str, Any]] = fields.JSONField(
        description="Content of the request; another content under the same key is refused"
    )
    answer: fields.Field[dict[str, Any] | None] = fields.JSONField(
        null=True, description="Null while the request is executed"
    )
    created_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "receipts"
        primary_key = ("brand", "principal", "operation", "key")
