"""Locks on names: they serialise writers of an object that has no row to lock yet."""

from models.locks import AdvisoryLock
from models.sql import Connection


async def lock_name(conn: Connection, name: str) -> None:
    """Lock the name until the transaction ends."""
    await conn.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", name)


async def stop_trading(conn: Connection) -> None:
    """Wait for the transactions that may trade, and let no other begin until this one ends.

    Later ones read the catalogue again.
    """
    await conn.execute("select pg_advisory_xact_lock($1)", AdvisoryLock.TRADING)
