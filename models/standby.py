"""Log positions of primary and standby, and the bearers that have written lately."""

from collections.abc import Collection

import asyncpg

from models.sql import Connection

ANNOUNCE = """
insert into bearer_writes (bearer) select unnest($1::text[])
on conflict (bearer) do update set wrote_at = excluded.wrote_at
"""
STANDING = """
select (pg_current_wal_flush_lsn() - '0/0')::bigint as position,
  array(select bearer from bearer_writes
    where bearer = any($1::text[]) and wrote_at > clock_timestamp() - make_interval(secs => $2)) as writers
"""
# pg_control_* show a timeline late: until then, a standby that follows a new primary counts as one of the old primary.
REPLAY = """
select pg_is_in_recovery() as recovers,
  (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end - '0/0')::bigint
    as position,
  greatest(
    (select timeline_id from pg_control_checkpoint()),
    (select min_recovery_end_timeline from pg_control_recovery()),
    case when not pg_is_in_recovery()
      then ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int end) as timeline,
  (select system_identifier from pg_control_system()) as system
"""


async def record_writers(conn: Connection, bearers: Collection[str]) -> None:
    """Record that these bearers are about to write."""
    await conn.execute(ANNOUNCE, sorted(bearers))


async def primary_position(conn: Connection, bearers: Collection[str], seconds: float) -> tuple[int, frozenset[str]]:
    """Return the primary's flushed log position in bytes, and which of the bearers wrote within the last `seconds`."""
    row = await conn.fetchrow(STANDING, sorted(bearers), float(seconds))
    assert row is not None, "the statement returns one row"
    return row["position"], frozenset(row["writers"])


async def replay_position(conn: Connection) -> asyncpg.Record:
    """Return `recovers`, log `position` in bytes, `timeline` and `system` identifier of the server."""
    return await conn.fetchrow(REPLAY)


async def delete_silent_bearers(conn: Connection, seconds: float) -> None:
    """Delete bearers that have not written for `seconds`."""
    await conn.execute(
        "delete from bearer_writes where wrote_at < clock_timestamp() - make_interval(secs => $1)", float(seconds)
    )
