"""Retention: the limits below which events, batches and metrics have been deleted."""

import asyncpg

from models.locks import AdvisoryLock
from models.sql import Connection

POSITIONS = """
select e.forgotten as events, r.quotes_forgotten as quotes, r.metrics_forgotten as metrics
from retention r cross join event_position e
"""


async def lock_retention(conn: Connection) -> bool:
    """Take the retention lock until the transaction ends; return False if another transaction holds it."""
    is_locked: bool = await conn.fetchval("select pg_try_advisory_xact_lock($1)", AdvisoryLock.RETENTION)
    return is_locked


async def retained_from(conn: Connection) -> asyncpg.Record:
    """Return the last deleted event and batch (0: none), and the time before which metrics are deleted (None: none)."""
    row = await conn.fetchrow(POSITIONS)
    assert row, "the migration inserts both rows"
    return row
