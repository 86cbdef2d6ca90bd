"""Brands: one row a firm."""

from models.sql import Connection

UPSERT = """
insert into brands (name, title, sample) values ($1, $2, $3)
on conflict (name) do update set title = excluded.title
"""


async def upsert(conn: Connection, name: str, title: str, *, sample: bool) -> None:
    """Insert the brand, or change its title; whether it is a sample stays as it was made."""
    await conn.execute(UPSERT, name, title, sample)
