"""Retention of metric snapshots."""

from models.sql import Connection


async def drop_old_metrics(conn: Connection, days: int) -> int:
    """Drop the oldest monthly partition if all of it is older than `days` by the real clock; return how many (0 or 1).

    The partition is kept while another transaction holds a lock on it.
    """
    dropped: bool = await conn.fetchval("select forget_metrics($1)", days)
    return int(dropped)
