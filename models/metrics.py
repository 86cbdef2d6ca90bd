"""Metric snapshots, which the journal and the marker append: how they go."""

from models.sql import Connection


async def drop_old_metrics(conn: Connection, days: int) -> int:
    """Drop the oldest month of them if all of it is older than so many days by the real clock; answers how many went.

    None goes while somebody is at them for long.
    """
    dropped: bool = await conn.fetchval("select forget_metrics($1)", days)
    return int(dropped)
