"""Brands: the firms whose programs the desk runs."""

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.tables.fields import NOW, Text


class Brand(Model):
    """A firm whose programs the desk runs."""

    name = Text(primary_key=True, description="Name of the brand in the API")
    title = Text(description="Display name")
    sample = fields.BooleanField(db_default=False, description="Created by the sample data, not a real firm")
    created_at = fields.DatetimeField(db_default=NOW)
    version = fields.IntField(db_default=1, description="Raised by every change")
    updated_at = fields.DatetimeField(db_default=NOW)
    number_prefix = fields.SmallIntField(
        description="First digits of the ids of its objects, before twelve more; 0: none"
    )

    class Meta:
        table = "brands"
        constraints = (UniqueConstraint(("number_prefix",), "brands_number_prefix"),)
