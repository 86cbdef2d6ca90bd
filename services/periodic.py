"""Periodic work: heartbeats, looking for waiting work, and empty batches while there are no quotes."""

import hashlib
import logging
import math
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from config.database import wanted_migrations
from models import standby, system
from models.sql import Connection
from services import bulk_reinstatements, payments, quote_guard, quotes, retention
from services.connections import control
from services.per_database import PerDatabase
from services.unit_of_work.reads import write_connection

TICK_AFTER = timedelta(seconds=60)
HEARTBEAT_SECONDS = 5
SILENT_SECONDS = 3600
DAY_SECONDS = 86_400
PAYMENTS_SECONDS = 10  # between looks for unpaid purchases
MARK_SECONDS = 3600  # between looks for accounts left behind
BULK_SECONDS = 60  # between looks for stalled bulk reinstatements
RETENTION_SECONDS = 60  # a backlog is deleted in rounds, so that no round takes long

HOST_CHARACTERS_MAX = 24
VERSION_SECONDS = 30  # between looks for migrations of a newer version
SLOT_LOOKS = 10  # for each slot, at most: most looks would find it taken

log = logging.getLogger(__name__)

STARTED_AT = datetime.now(UTC)

_looked: PerDatabase[dict[str, float]] = PerDatabase(dict)
"""Monotonic time at which this process last looked for a slot, by name."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Work that waits for this process."""

    jobs: bool  # due jobs exist
    shards: list[int]  # its own shards with batches to judge
    overdue: bool  # it is time to look for accounts left behind


def process_name(kind: str) -> str:
    """Return this process's name in heartbeats, ownership of shards and database connections.

    It has the host's name because every container's process number is 1. A long name is cut as PostgreSQL cuts
    application names.
    """
    host = socket.gethostname()
    if len(host) > HOST_CHARACTERS_MAX:
        host = f"{host[: HOST_CHARACTERS_MAX - 9]}-{hashlib.sha256(host.encode()).hexdigest()[:8]}"
    return f"{kind}-{host}-{os.getpid()}"


async def run_round(kind: str, faults: Mapping[str, str] = MappingProxyType({})) -> Pending:
    """Do one round of a process of this kind, twice a second. Every step may be repeated.

    `faults`: the last fault of each of its failing endless tasks, by name. Return the work that is left for the process
    itself; none of it goes through the broker.
    """
    process = process_name(kind)
    async with control() as conn:
        await system.write_heartbeat(conn, process, kind, STARTED_AT, dict(faults))
    async with write_connection() as conn:
        waiting = await system.waiting_work(conn, process, TICK_AFTER)
        await _look_for_newer(conn)
        if await _take_slot(conn, "housekeeping", DAY_SECONDS):
            await system.ensure_partitions(conn)
            await system.delete_silent_heartbeats(conn, SILENT_SECONDS)
            await standby.delete_silent_bearers(conn, SILENT_SECONDS)
        expires = await _take_slot(conn, "payments", PAYMENTS_SECONDS)
        forgets = await _take_slot(conn, "retention", RETENTION_SECONDS)
        halted = await _take_slot(conn, "bulk_reinstatements", BULK_SECONDS)
        overdue = await _take_slot(conn, "mark_to_market", MARK_SECONDS)
    if waiting["is_still"]:
        await quotes.append_empty_batch(TICK_AFTER)
    await quote_guard.expire_suspects()
    if expires:
        await payments.expire_orders()
    if halted:
        await bulk_reinstatements.resume_bulks()
    if forgets:
        await retention.delete_old_rows()
    return Pending(waiting["jobs_due"], waiting["shards_behind"], overdue)


async def _take_slot(conn: Connection, name: str, seconds: int) -> bool:
    """Take the current slot of a periodic task, unless another process has it; most calls do not look."""
    looked, now = _looked(), time.monotonic()
    if now < looked.get(name, -math.inf) + seconds / SLOT_LOOKS:
        return False
    looked[name] = now
    return await system.take_slot(conn, name, seconds)


async def _look_for_newer(conn: Connection) -> None:
    """Log once that a newer version has migrated the database under this process."""
    looked, now = _looked(), time.monotonic()
    if now < looked.get("newer", -math.inf) + VERSION_SECONDS:
        return
    newer = sorted(await system.migrations(conn) - wanted_migrations())
    looked["newer"] = math.inf if newer else now
    if newer:
        log.warning("a newer version has migrated the database (%s); restart this process as that version", newer[-1])
