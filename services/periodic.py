"""What has to happen without anybody asking: heartbeats, looking for what waits, time passing without quotes."""

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
from services.unit_of_work.reads import read_connection

TICK_AFTER = timedelta(seconds=60)
HEARTBEAT_SECONDS = 5
SILENT_SECONDS = 3600
DAY_SECONDS = 86_400
PAYMENTS_SECONDS = 10  # between looks for purchases that were not paid in time
MARK_SECONDS = 3600  # between looks for accounts that were left behind
BULK_SECONDS = 60  # between looks for bulk reinstatements that have come to a halt
RETENTION_SECONDS = 60  # a backlog goes round by round, so that no tick takes long

HOST_CHARACTERS_MAX = 24
VERSION_SECONDS = 30  # between looks for the migrations of a newer version
SLOT_LOOKS = 10  # for each slot, at most: most looks find it taken

log = logging.getLogger(__name__)

STARTED_AT = datetime.now(UTC)

_looked: PerDatabase[dict[str, float]] = PerDatabase(dict)
"""When this process last looked for a slot of each name, monotonic."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What waits to be done by the process that has ticked."""

    jobs: bool  # some are due
    shards: list[int]  # of its own, those with batches to judge
    overdue: bool  # accounts are to be looked for that were left behind


def process_name(kind: str) -> str:
    """What this process is called in heartbeats, as the owner of shards, and in the names of its connections.

    In containers everybody's number is 1, and the host's name tells them apart. A long one is cut, as PostgreSQL cuts
    the names of connections.
    """
    host = socket.gethostname()
    if len(host) > HOST_CHARACTERS_MAX:
        host = f"{host[: HOST_CHARACTERS_MAX - 9]}-{hashlib.sha256(host.encode()).hexdigest()[:8]}"
    return f"{kind}-{host}-{os.getpid()}"


async def run_round(kind: str, faults: Mapping[str, str] = MappingProxyType({})) -> Pending:
    """One round of a process of this kind, twice a second. Every step may be repeated.

    `faults`: the last fault of each of its endless tasks that is not well, by the task's name. Return what is left for
    the process itself to do: nothing of it goes through the broker.
    """
    process = process_name(kind)
    async with control() as conn:
        await system.write_heartbeat(conn, process, kind, STARTED_AT, dict(faults))
    async with read_connection() as conn:
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
    """Take the current slot of a periodic task, unless another process has; looks for it now and then only."""
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
