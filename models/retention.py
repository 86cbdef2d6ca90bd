"""How much of what grows with time is no longer kept."""

import asyncpg

from models.locks import AdvisoryLock
from models.sql import Connection

POSITIONS = """
select e.forgotten as events, r.quotes_forgotten as quotes, r.metrics_forgotten as metrics
from retention r cross join event_position e
"""


async def lock_retention(conn: Connection) -> bool:
    """Until the transaction ends; False: somebody else forgets."""
    got: bool = await conn.fetchval("select pg_try_advisory_xact_lock($1)", AdvisoryLock.RETENTION)
    return got


async def retained_from(conn: Connection) -> asyncpg.Record:
    """The last event and batch that are gone (0: none), and the time before which metrics are (None: none)."""
    row = await conn.fetchrow(POSITIONS)
    assert row, "both rows are made by the migration"
    return row
