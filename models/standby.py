"""How far the primary has written and a standby has replayed, and which bearers have written lately."""

from collections.abc import Collection

import asyncpg

from models.sql import Connection

# As of a position a primary has acknowledged; of a row that is locked another request writes the very same.
ANNOUNCE = """
insert into bearer_writes (bearer) select unnest($1::text[])
on conflict (bearer) do update set wrote_at = excluded.wrote_at
"""
STANDING = """
select (pg_current_wal_flush_lsn() - '0/0')::bigint as position,
  array(select bearer from bearer_writes
    where bearer = any($1::text[]) and wrote_at > clock_timestamp() - make_interval(secs => $2)) as writers
"""
# A timeline shows up late here: a standby that follows a new primary is taken for one of the old until then.
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
    """Note that these bearers are about to write."""
    await conn.execute(ANNOUNCE, sorted(bearers))


async def primary_position(conn: Connection, bearers: Collection[str], seconds: float) -> tuple[int, frozenset[str]]:
    """Return how far the primary's log is written out, and who of these has announced a write in the last seconds."""
    row = await conn.fetchrow(STANDING, sorted(bearers), float(seconds))
    assert row is not None, "it is one row"
    return row["position"], frozenset(row["writers"])


async def replay_position(conn: Connection) -> asyncpg.Record:
    """Return what a standby shows: recovers, position, timeline, system."""
    return await conn.fetchrow(REPLAY)


async def delete_silent_bearers(conn: Connection, seconds: float) -> None:
    """Forget bearers that have not written for so long."""
    await conn.execute(
        "delete from bearer_writes where wrote_at < clock_timestamp() - make_interval(secs => $1)", float(seconds)
    )
