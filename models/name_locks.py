"""Whose turn it is with what has no row to lock yet: a name that is saved, whether it is new or not."""

from models.locks import AdvisoryLock
from models.sql import Connection


async def lock_name(conn: Connection, what: str) -> None:
    """Wait for whoever else has this turn, and have it until the transaction ends."""
    await conn.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", what)


async def stop_trading(conn: Connection) -> None:
    """Wait for the trading transactions under way, and let none begin until this one ends.

    What trades afterwards reads the catalogue anew.
    """
    await conn.execute("select pg_advisory_xact_lock($1)", AdvisoryLock.TRADING)
