"""The desk about itself, for operators and for whoever hands in quotes in lock-step."""

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
SIGN_SECONDS_MAX = 15  # a worker gives a sign twice a second
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
    suspect: list[StoredSuspect]  # quotes that are held back until another decides


@dataclass(frozen=True, slots=True)
class SystemLoad:
    """How far behind the desk is, and how large. Times are in seconds."""

    lag_batches: int  # batches that a shard has not judged
    lag_seconds: float  # how long the oldest of them has waited
    job_wait_seconds: float  # how long the oldest job that could be done has waited
    events_waiting: int  # events that are committed and have no position yet
    database_bytes: int


@dataclass(frozen=True, slots=True)
class SystemFigures:
    """What the database knows of the desk, for who watches it from outside. Ages are in seconds."""

    system: System
    load: SystemLoad
    migrated: bool  # the schema has all that this program needs
    newer: list[str]  # migrations that ran and this program does not know: it is older than the schema
    ages: dict[str, float]  # by kind of process, since one of that kind gave a sign
    shards: list[ShardState]  # who owns each, and how far it is
    quote_ages: dict[str, float]  # by symbol, since the source time of its newest quote; none in a replay
    dropped: dict[str, int]  # quotes not taken, by reason
    faults: dict[str, str]  # of the processes' endless tasks that are not well
    book_check: tuple[int, float] | None  # violations that the newest check of the books found, and its age

    @property
    def warnings(self) -> dict[str, str]:
        """What needs somebody's attention and keeps the rest of the desk from nothing, by part."""
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
        """What keeps the desk from doing its work, by part, with what there is to know of it."""
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
    """The state of now. While a job can be done, the newest batch does not count as evaluated."""
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
    """The load of now; apart from the state, which is asked for often."""
    async with read_connection() as conn:
        return SystemLoad(**await system.read_load(conn))


async def read_figures() -> SystemFigures:
    """All of it, read anew, however busy the pool is. Who asks at the same time gets the same figures.

    Raises TimeoutError where that takes too long: those who ask later wait for nothing that hangs.
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
