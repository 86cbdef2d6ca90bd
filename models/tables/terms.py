"""Terms as sold."""

from tortoise import fields
from tortoise.models import Model

from models.tables.fields import Text


class Terms(Model):
    """Terms as sold, by the hash of their text; written once, never changed."""

    hash = Text(primary_key=True)
    version = fields.IntField()
    body = Text(description="Canonical JSON, of which `hash` is the sha256")

    program_version = fields.IntField(null=True, description="The program's version at the sale, as the text says it")

    class Meta:
        table = "terms"
