"""Frozen terms."""

from tortoise import fields
from tortoise.models import Model

from models.tables.fields import Text


class Terms(Model):
    """Frozen terms of a sale, by the hash of their text. Written once, never changed."""

    hash = Text(primary_key=True)
    version = fields.IntField()
    body = Text(description="Canonical JSON; `hash` is its sha256")

    program_version = fields.IntField(null=True, description="Version of the program at the sale, as in the text")

    class Meta:
        table = "terms"
