"""The state of the desk, for operators and for feeds that wait for each batch to be evaluated."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from config.database import wanted_migrations
from config.settings import settings
from models import ownership, quarantine, suspects, system
from models.ownership import ShardState
from models.quarantine import QuarantineEntry
from models.sql import Connection
from models.suspects import StoredSuspect
from services.coalescing import Coalesced
from services.connections import control
from services.per_database import PerDatabase
from services.unit_of_work.reads import read_connection

QUARANTINE_SHOWN_MAX = 100
SUSPECTS_SHOWN_MAX = 1000
READ_SECONDS_MAX = 5  # of all figures
SIGN_SECONDS_MAX = 15  # a worker sends a heartbeat twice a second
LAG_SECONDS_MAX = 60  # a batch is judged within one


@dataclass(frozen=True, slots=True)
class System:
    mode: str
    newest_batch: int
    market_time: datetime | None
    evaluated_through: int  # passes and jobs of every batch up to this one are done
    queue_depth: int
    dead_jobs: int
    heartbeats: list[dict[str, Any]]  # process, kind, started_at, beat_at
    dropped: list[dict[str, Any]]  # symbol, reason, count, last_at
    quarantined: int  # accounts that cannot be read or marked
    quarantine: list[QuarantineEntry]  # the first of them
    suspect: list[StoredSuspect]  # quotes that are held back until another confirms them


@dataclass(frozen=True, slots=True)
class SystemLoad:
    """The backlog and the size of the desk. Times are in seconds."""

    lag_batches: int  # batches that a shard has not judged
    lag_seconds: float  # age of the oldest of them
    job_wait_seconds: float  # age of the oldest job that could be done
    events_waiting: int  # committed events without a position
    database_bytes: int


@dataclass(frozen=True, slots=True)
class SystemFigures:
    """Figures of the desk from the database, for monitoring. Ages are in seconds."""

    system: System
    load: SystemLoad
    migrated: bool  # the schema has everything that this program needs
    newer: list[str]  # applied migrations that this program does not know: it is older than the schema
    ages: dict[str, float]  # by kind of process, seconds since the last heartbeat of that kind
    shards: list[ShardState]  # owner and progress of each
    quote_ages: dict[str, float]  # by symbol, seconds since the source time of its newest quote; empty in a replay
    dropped: dict[str, int]  # rejected quotes, by reason
    faults: dict[str, str]  # failing endless tasks of the processes
    book_check: tuple[int, float] | None  # violations found by the newest check of the books, and its age

    @property
    def warnings(self) -> dict[str, str]:
        """Return faults that need attention but stop nothing else, by part."""
        found = {}
        if many := self.system.quarantined:
            named = ", ".join(str(entry.account_id) for entry in self.system.quarantine)
            more = ", ..." if many > len(self.system.quarantine) else ""
            found["accounts"] = f"{many} cannot be read or computed: {named}{more}; system.quarantine says why"
        if self.system.dead_jobs:
            found["jobs"] = f"{self.system.dead_jobs} are given up; jobs with the status DEAD say why"
        if self.newer:
            found["schema"] = f"newer than this process, by {', '.join(self.newer)}; restart it with that version"
        if self.book_check and self.book_check[0]:
            found["books"] = f"the newest check found {self.book_check[0]} violations; run: propdesk verify"
        return found

    @property
    def missing(self) -> dict[str, str]:
        """Return faults that keep the desk from working, by part."""
        found = {}
        if not self.migrated:
            found["migrations"] = "the schema is older than this program; run: propdesk migrate"
        age = self.ages.get("worker")
        if age is None or age > SIGN_SECONDS_MAX:
            seen = "no worker has given a sign" if age is None else f"the last sign of a worker is {age:.0f} s old"
            found["worker"] = f"{seen}; start one: propdesk work"
        if self.load.lag_seconds > LAG_SECONDS_MAX:
            found["marker"] = (
                f"{self.load.lag_batches} batches are not judged, the oldest for {self.load.lag_seconds:.0f} s"
            )
        return found | {f"task of {name}": fault for name, fault in self.faults.items()}


async def read_state() -> System:
    """Return the present state. While a job can be done, the newest batch does not count as evaluated."""
    async with read_connection() as conn:
        return await _read(conn)


async def _read(conn: Connection) -> System:
    row = await system.read_desk(conn)
    heartbeats = await system.heartbeats(conn)
    dropped = await system.dropped_quotes(conn, settings().dropped_rows_max)
    entries = await quarantine.quarantine_entries(conn, QUARANTINE_SHOWN_MAX)
    suspect = await suspects.read_suspects(conn, SUSPECTS_SHOWN_MAX)
    through = row["marked_through"]
    evaluated = min(through, row["newest_batch"] - 1) if row["jobs_wait"] else through
    return System(
        mode=row["mode"],
        newest_batch=row["newest_batch"],
        market_time=row["market_time"],
        evaluated_through=max(evaluated, 0),
        queue_depth=row["queue_depth"],
        dead_jobs=row["dead_jobs"],
        heartbeats=heartbeats,
        dropped=dropped,
        quarantined=row["quarantined"],
        quarantine=entries,
        suspect=suspect,
    )


async def read_load() -> SystemLoad:
    """Return the present load; it is read less often than the state."""
    async with read_connection() as conn:
        return SystemLoad(**await system.read_load(conn))


async def read_figures() -> SystemFigures:
    """Read all figures anew, on a connection outside the pool. Callers at the same time share one read.

    Raises TimeoutError if that takes too long; later callers do not wait for a read that hangs.
    """
    found = await _figures().get(None)
    assert found is not None, "they were read"
    return found


async def _all(keys: Collection[None]) -> dict[None, SystemFigures]:
    async with asyncio.timeout(READ_SECONDS_MAX), control() as conn:
        now, behind = await _read(conn), SystemLoad(**await system.read_load(conn))
        applied = await system.migrations(conn)
        ages = await system.heartbeat_ages(conn)
        shards = await ownership.shard_states(conn)
        faults = await system.task_faults(conn, SIGN_SECONDS_MAX)
        book_check = await system.book_check(conn)
        dropped = await system.dropped_by_reason(conn)
        quote_ages = {} if now.mode == "REPLAY" else await system.quote_ages(conn)
    migrated, newer = applied >= wanted_migrations(), sorted(applied - wanted_migrations())
    return dict.fromkeys(
        keys, SystemFigures(now, behind, migrated, newer, ages, shards, quote_ages, dropped, faults, book_check)
    )


_figures = PerDatabase(lambda: Coalesced(_all))
