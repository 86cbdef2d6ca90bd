"""Whose turn it is with what has no row to lock yet: a name that is saved, whether it is new or not."""

from models.sql import Connection


async def take(conn: Connection, what: str) -> None:
    """Wait for whoever else has this turn, and have it until the transaction ends."""
    await conn.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", what)
