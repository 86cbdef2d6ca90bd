"""Currencies: what the migration knows of them."""

from tortoise import fields
from tortoise.models import Model


class Currency(Model):
    code = fields.CharField(max_length=10, primary_key=True)
    minor_units = fields.SmallIntField()
    par = fields.TextField()

    class Meta:
        table = "currencies"
