"""The desk about itself: heartbeats, periodic slots, queue depth."""

import json
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from models.jobs import DUE
from models.locks import AdvisoryLock
from models.sql import Connection

READ = f"""
select d.mode, coalesce(b.number, 0) as newest_batch, b.market_time,
  least(coalesce(b.number, 0), coalesce((select min(through) from shards), 0)) as marked_through,
  exists (select from jobs where status = 'QUEUED'
    and (waits_for_batch is null or waits_for_batch <= coalesce(b.number, 0))) as jobs_wait,
  (select count(*) from jobs where status = 'QUEUED') as queue_depth,
  (select count(*) from jobs where status = 'DEAD') as dead_jobs,
  (select count(*) from quarantine) as quarantined,
  exists (select from jobs where {DUE}) as jobs_due
from desk d left join lateral (select number, market_time from batches order by number desc limit 1) b on true
"""

WAITING = f"""
select exists (select from jobs where {DUE}) as jobs_due,
  array(select shard from shards where owner = $1 and through < b.number order by shard) as shards_behind,
  coalesce(d.mode <> 'REPLAY' and clock_timestamp() - b.market_time > $2::interval, false) as is_still
from desk d left join lateral (select number, market_time from batches order by number desc limit 1) b on true
"""
LOAD = f"""
select (select count(*) from batches where number > (select min(through) from shards)) as lag_batches,
  coalesce((select extract(epoch from clock_timestamp() - recorded_at)::float8 from batches
    where number > (select min(through) from shards) order by number limit 1), 0) as lag_seconds,
  coalesce((select extract(epoch from clock_timestamp() - min(due_at))::float8 from jobs where {DUE}), 0)
    as job_wait_seconds,
  (select count(*) from outbox) as events_waiting,
  pg_database_size(current_database()) as database_bytes
"""


async def read_desk(conn: Connection) -> asyncpg.Record:
    row = await conn.fetchrow(READ)
    assert row, "the desk's row is made by the migration"
    return row


async def database_time(conn: Connection) -> datetime:
    """The database's time of now."""
    moment: datetime = await conn.fetchval("select clock_timestamp()")
    return moment


async def waiting_work(conn: Connection, owner: str, still_after: timedelta) -> asyncpg.Record:
    """Is a job due, which of the owner's shards have batches to judge, is the newest batch older than `still_after`?

    In a replay no batch is too old.
    """
    row = await conn.fetchrow(WAITING, owner, still_after)
    assert row, "the desk's row is made by the migration"
    return row


async def heartbeats(conn: Connection) -> list[dict[str, Any]]:
    rows = await conn.fetch("select process, kind, started_at, beat_at from heartbeats order by process")
    return [dict(row) for row in rows]


async def read_load(conn: Connection) -> asyncpg.Record:
    """How much waits, for how many seconds, and the database's size in bytes."""
    row = await conn.fetchrow(LOAD)
    assert row, "it has no condition"
    return row


async def heartbeat_ages(conn: Connection) -> dict[str, float]:
    """By kind of process, the seconds since one of that kind gave a sign."""
    rows = await conn.fetch(
        "select kind, extract(epoch from clock_timestamp() - max(beat_at))::float8 as age from heartbeats group by kind"
    )
    return {row["kind"]: row["age"] for row in rows}


async def quote_ages(conn: Connection) -> dict[str, float]:
    """By symbol, the seconds since the source time of the newest quote."""
    rows = await conn.fetch(
        "select symbol, extract(epoch from clock_timestamp() - source_time)::float8 as age from latest_quotes"
    )
    return {row["symbol"]: row["age"] for row in rows}


async def migrations(conn: Connection) -> frozenset[str]:
    """The names of the migrations that ran."""
    return frozenset(row["version"] for row in await conn.fetch("select version from aerich where app = 'models'"))


async def dropped_quotes(conn: Connection, most: int) -> list[dict[str, Any]]:
    """Return the counters of quotes that were not taken by symbol and reason, `most` of them."""
    rows = await conn.fetch(
        "select symbol, reason, count, last_at from dropped_quotes order by symbol, reason limit $1", most
    )
    return [dict(row) for row in rows]


async def dropped_by_reason(conn: Connection) -> dict[str, int]:
    """Return by reason how many quotes were not taken."""
    return dict(await conn.fetch("select reason, sum(count)::bigint from dropped_quotes group by reason"))


async def write_heartbeat(
    conn: Connection, process: str, kind: str, started_at: datetime, faults: dict[str, str]
) -> None:
    """Write the process's heartbeat, with the last fault of each of its tasks that is not well."""
    await conn.execute(
        """insert into heartbeats (process, kind, started_at, beat_at, faults)
        values ($1, $2, $3, clock_timestamp(), $4)
        on conflict (process) do update set beat_at = excluded.beat_at, faults = excluded.faults""",
        process,
        kind,
        started_at,
        json.dumps(faults),
    )


async def task_faults(conn: Connection, seconds: float) -> dict[str, str]:
    """Return the last fault of each task that is not well, by process and task; of processes alive within `seconds`."""
    rows = await conn.fetch(
        """select h.process, f.key, f.value from heartbeats h cross join lateral jsonb_each_text(h.faults) f
        where h.beat_at > clock_timestamp() - make_interval(secs => $1) order by 1, 2""",
        seconds,
    )
    return {f"{row['process']}: {row['key']}": row["value"] for row in rows}


async def write_book_check(conn: Connection, violations: int) -> None:
    """Write what a check of the books has found."""
    await conn.execute(
        """insert into book_check (violations) values ($1)
        on conflict (id) do update set violations = excluded.violations, finished_at = clock_timestamp()""",
        violations,
    )


async def book_check(conn: Connection) -> tuple[int, float] | None:
    """Return how many violations the newest check of the books found, and its age in seconds; None before the first."""
    row = await conn.fetchrow(
        "select violations, extract(epoch from clock_timestamp() - finished_at)::float8 as age from book_check"
    )
    return (row["violations"], row["age"]) if row else None


async def delete_silent_heartbeats(conn: Connection, seconds: int) -> None:
    """Heartbeats of processes that have been gone for so long."""
    await conn.execute(
        "delete from heartbeats where beat_at < clock_timestamp() - make_interval(secs => $1)", float(seconds)
    )


async def take_slot(conn: Connection, name: str, seconds: int) -> bool:
    """Is this process the first to take the current slot of a periodic task? Older slots are forgotten."""
    slot = "to_timestamp(floor(extract(epoch from clock_timestamp()) / $2) * $2)"
    found = await conn.fetchval(
        f"""with gone as (delete from periodic_slots where name = $1 and slot < {slot} - make_interval(secs => $2 * 10))
        insert into periodic_slots (name, slot) values ($1, {slot}) on conflict do nothing returning slot""",
        name,
        float(seconds),
    )
    return found is not None


async def ensure_partitions(conn: Connection) -> int:
    """Partitions of ledger and metrics for the coming year; answers how many were made."""
    made: int = await conn.fetchval("select ensure_partitions(12)")
    return made


async def set_clock_mode(conn: Connection, mode: str) -> str:
    """Set the clock of a desk that has no batch yet, SYSTEM or REPLAY; only its owner can. Return the mode it now has.

    The caller has no transaction open: the lock keeps the first batch out until the connection closes.
    """
    await conn.execute("select pg_advisory_lock($1)", AdvisoryLock.INGEST)
    await conn.execute("update desk set mode = $1 where not exists (select from batches)", mode)
    return await read_mode(conn)


async def claim_desk(conn: Connection) -> bool:
    """Claim the desk for the session, as the one that runs all of it; False where another session has."""
    claimed: bool = await conn.fetchval("select pg_try_advisory_lock($1)", AdvisoryLock.DESK)
    return claimed


async def read_mode(conn: Connection) -> str:
    mode: str = await conn.fetchval("select mode from desk")
    return mode
