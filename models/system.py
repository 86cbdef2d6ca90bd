"""State of the desk: clock mode, heartbeats, periodic slots, queue depth, load."""

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
    """Return mode, newest batch, marking and queue of the desk."""
    row = await conn.fetchrow(READ)
    assert row, "the migration inserts the desk's row"
    return row


async def database_time(conn: Connection) -> datetime:
    """Return the time of the database's clock."""
    moment: datetime = await conn.fetchval("select clock_timestamp()")
    return moment


async def waiting_work(conn: Connection, owner: str, still_after: timedelta) -> asyncpg.Record:
    """Return `jobs_due`, `shards_behind` (the owner's shards with batches to judge) and `is_still`.

    `is_still`: the newest batch is older than `still_after`; never in a replay.
    """
    row = await conn.fetchrow(WAITING, owner, still_after)
    assert row, "the migration inserts the desk's row"
    return row


async def heartbeats(conn: Connection) -> list[dict[str, Any]]:
    """Return the heartbeat of every process."""
    rows = await conn.fetch("select process, kind, started_at, beat_at from heartbeats order by process")
    return [dict(row) for row in rows]


async def read_load(conn: Connection) -> asyncpg.Record:
    """Return how many batches and events wait, lags in seconds, and the size of the database in bytes."""
    row = await conn.fetchrow(LOAD)
    assert row, "the statement has no condition"
    return row


async def heartbeat_ages(conn: Connection) -> dict[str, float]:
    """Return by kind of process the age of its newest heartbeat, in seconds."""
    rows = await conn.fetch(
        "select kind, extract(epoch from clock_timestamp() - max(beat_at))::float8 as age from heartbeats group by kind"
    )
    return {row["kind"]: row["age"] for row in rows}


async def quote_ages(conn: Connection) -> dict[str, float]:
    """Return by symbol the age of its newest quote by source time, in seconds."""
    rows = await conn.fetch(
        "select symbol, extract(epoch from clock_timestamp() - source_time)::float8 as age from latest_quotes"
    )
    return {row["symbol"]: row["age"] for row in rows}


async def migrations(conn: Connection) -> frozenset[str]:
    """Return the names of the applied migrations."""
    return frozenset(row["version"] for row in await conn.fetch("select version from aerich where app = 'models'"))


async def dropped_quotes(conn: Connection, most: int) -> list[dict[str, Any]]:
    """Return the counters of dropped quotes by symbol and reason, at most `most`."""
    rows = await conn.fetch(
        "select symbol, reason, count, last_at from dropped_quotes order by symbol, reason limit $1", most
    )
    return [dict(row) for row in rows]


async def dropped_by_reason(conn: Connection) -> dict[str, int]:
    """Return by reason the number of dropped quotes."""
    return dict(await conn.fetch("select reason, sum(count)::bigint from dropped_quotes group by reason"))


async def write_heartbeat(
    conn: Connection, process: str, kind: str, started_at: datetime, faults: dict[str, str]
) -> None:
    """Write the heartbeat of a process, with the last fault of each of its failing tasks."""
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
    """Return the last fault of each failing task by process and task, for processes that beat within `seconds`."""
    rows = await conn.fetch(
        """select h.process, f.key, f.value from heartbeats h cross join lateral jsonb_each_text(h.faults) f
        where h.beat_at > clock_timestamp() - make_interval(secs => $1) order by 1, 2""",
        seconds,
    )
    return {f"{row['process']}: {row['key']}": row["value"] for row in rows}


async def write_book_check(conn: Connection, violations: int) -> None:
    """Write the number of violations that a check of the books found."""
    await conn.execute(
        """insert into book_check (violations) values ($1)
        on conflict (id) do update set violations = excluded.violations, finished_at = clock_timestamp()""",
        violations,
    )


async def book_check(conn: Connection) -> tuple[int, float] | None:
    """Return the number of violations in the newest check of the books, and its age in seconds; None before any."""
    row = await conn.fetchrow(
        "select violations, extract(epoch from clock_timestamp() - finished_at)::float8 as age from book_check"
    )
    return (row["violations"], row["age"]) if row else None


async def delete_silent_heartbeats(conn: Connection, seconds: int) -> None:
    """Delete heartbeats older than `seconds`."""
    await conn.execute(
        "delete from heartbeats where beat_at < clock_timestamp() - make_interval(secs => $1)", float(seconds)
    )


async def take_slot(conn: Connection, name: str, seconds: int) -> bool:
    """Claim the current slot of a periodic task; return False if another process has it. Old slots are deleted."""
    slot = "to_timestamp(floor(extract(epoch from clock_timestamp()) / $2) * $2)"
    claimed = await conn.fetchval(
        f"""with gone as (delete from periodic_slots where name = $1 and slot < {slot} - make_interval(secs => $2 * 10))
        insert into periodic_slots (name, slot) values ($1, {slot}) on conflict do nothing returning slot""",
        name,
        float(seconds),
    )
    return claimed is not None


async def ensure_partitions(conn: Connection) -> int:
    """Create the partitions of ledger and metrics for the coming year; return how many."""
    created: int = await conn.fetchval("select ensure_partitions(12)")
    return created


async def set_clock_mode(conn: Connection, mode: str) -> str:
    """Set the clock mode (SYSTEM or REPLAY) of a desk without batches, as the owner of the database; return the mode.

    The caller has no open transaction: the lock keeps out a first batch until the connection closes.
    """
    await conn.execute("select pg_advisory_lock($1)", AdvisoryLock.INGEST)
    await conn.execute("update desk set mode = $1 where not exists (select from batches)", mode)
    return await read_mode(conn)


async def claim_desk(conn: Connection) -> bool:
    """Claim the desk for the session that runs all processes; return False if another session has claimed it."""
    claimed: bool = await conn.fetchval("select pg_try_advisory_lock($1)", AdvisoryLock.DESK)
    return claimed


async def read_mode(conn: Connection) -> str:
    """Return the clock mode of the desk, SYSTEM or REPLAY."""
    mode: str = await conn.fetchval("select mode from desk")
    return mode
