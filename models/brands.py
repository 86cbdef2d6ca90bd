"""Brands: one row a firm."""

from tortoise import fields
from tortoise.fields.db_defaults import Now
from tortoise.models import Model

from models.sql import Connection

UPSERT = """
insert into brands (name, title, sample) values ($1, $2, $3)
on conflict (name) do update set title = excluded.title
"""


class Brand(Model):
    name = fields.CharField(max_length=32, primary_key=True)
    title = fields.TextField()
    sample = fields.BooleanField(default=False)  # made up by `propdesk up`, not a firm
    created_at = fields.DatetimeField(db_default=Now())

    class Meta:
        table = "brands"


async def upsert(conn: Connection, name: str, title: str, *, sample: bool) -> None:
    """Insert the brand, or change its title; whether it is a sample stays as it was made."""
    await conn.execute(UPSERT, name, title, sample)
