"""Brands: the firms whose programs the desk runs."""

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.tables.fields import NOW, Text


class Brand(Model):
    """A firm whose programs the desk runs."""

    name = Text(primary_key=True, description="What the API calls the brand")
    title = Text(description="What people call it")
    sample = fields.BooleanField(db_default=False, description="Made up by the sample data, not a firm")
    created_at = fields.DatetimeField(db_default=NOW)
    version = fields.IntField(db_default=1, description="Raised by every change")
    updated_at = fields.DatetimeField(db_default=NOW)
    number_prefix = fields.SmallIntField(description="Its objects' ids begin with it, before twelve digits; 0: nothing")

    class Meta:
        table = "brands"
        constraints = (UniqueConstraint(("number_prefix",), "brands_number_prefix"),)
