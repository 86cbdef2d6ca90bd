"""What has to happen without anybody asking: heartbeats, wake-ups for what waits, time passing without quotes."""

import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from config import wakeups
from config.settings import settings
from models import system
from services import bulk_reinstatements, guard, payments, quotes, retention
from services.connections import control
from services.unit import reading

TICK_AFTER = timedelta(seconds=60)
HEARTBEAT_SECONDS = 5
SILENT_SECONDS = 3600
DAY_SECONDS = 86_400
PAYMENTS_SECONDS = 10  # between looks for purchases that were not paid in time
MARK_SECONDS = 3600  # between looks for accounts that were left behind
BULK_SECONDS = 60  # between looks for bulk reinstatements that have come to a halt
RETENTION_SECONDS = 60  # a backlog goes round by round, so that no tick takes long

STARTED_AT = datetime.now(UTC)


async def tick(kind: str, faults: Mapping[str, str] = MappingProxyType({})) -> None:
    """One round of a process of this kind (`api`, `worker`), about once a second. Every step may be repeated.

    `faults`: the last fault of each of its endless tasks that is not well, by the task's name.
    """
    process = f"{kind}-{socket.gethostname()}-{os.getpid()}"  # in containers everybody's number is 1
    async with control() as conn:
        await system.beat(conn, process, kind, STARTED_AT, dict(faults))
    async with reading() as conn:
        state = await system.read(conn)
        house = await system.take_slot(conn, "housekeeping", DAY_SECONDS)
        if house:
            await system.ensure_partitions(conn)
            await system.forget_silent(conn, SILENT_SECONDS)
        expires = await system.take_slot(conn, "payments", PAYMENTS_SECONDS)
        forgets = await system.take_slot(conn, "retention", RETENTION_SECONDS)
        halted = await system.take_slot(conn, "bulk_reinstatements", BULK_SECONDS)
        overdue = await system.take_slot(conn, "mark_to_market", MARK_SECONDS)
    if state["jobs_due"]:
        wakeups.request("work_queue")
    if state["marked_through"] < state["newest_batch"]:
        quotes.wake_markers()
    if overdue:
        wakeups.request("mark_to_market")
    await quotes.tick(TICK_AFTER)
    await guard.expire()
    if expires:
        await payments.expire()
    if halted:
        await bulk_reinstatements.go_on()
    if forgets:
        await retention.forget()


async def begin() -> None:
    """At a worker's start: the rows of its shards."""
    async with reading() as conn:
        await system.ensure_shards(conn, settings().marker_shards)
