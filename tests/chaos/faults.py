"""What happens to the desk: a function and a row for each kind of fault, which is over when the function returns."""

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.chaos.schedule import Kind, Step
from tests.cluster.desk import Desk, Member, propdesk
from tests.cluster.programs import Unsuccessful
from tests.cluster.servers import Server
from tests.workers.brokers import Kind as Broker

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
JUMPS = ("+90", "-90", "+3600", "-3600", "+86400", "-86400")  # seconds off
LOCKED = ("jobs", "wallets", "outbox", "balances", "batches", "receipts", "challenges", "shards")  # tables
OURS = "application_name like 'propdesk-%'"
SHARDS_MAX = 8
BALLAST = "ballast"
START_ATTEMPTS = 40


@dataclass(slots=True)
class Ground:
    """Where the faults happen."""

    desk: Desk
    server: Server
    volume: Path | None  # a small file system that holds PostgreSQL's files; None: there is none, nothing is filled
    broker: Broker | None = None  # a server of its own; None: the broker's tables are in the desk's database
    clocks: Mapping[str, Path] = field(default_factory=dict)  # by process, the file that says how far its clock is off

    def member(self, choice: int) -> Member:
        return self.desk.members[choice % len(self.desk.members)]


class Impossible(Exception):
    """This machine cannot have the fault; says what it lacks."""


async def kill(ground: Ground, step: Step) -> str:
    """A process ends at once; it is started again a second later."""
    member = ground.member(step.choice)
    return member.name if member.signal(signal.SIGKILL) else f"{member.name} was not running"


async def kill_two(ground: Ground, step: Step) -> str:
    """Two processes end in the same moment."""
    members = ground.member(step.choice), ground.member(step.choice + 1 + step.choice // 7 % 5)
    for member in members:
        member.signal(signal.SIGKILL)
    return " and ".join(member.name for member in members)


async def terminate(ground: Ground, step: Step) -> str:
    """A process is asked to end, and started again."""
    member = ground.member(step.choice)
    member.signal(signal.SIGTERM)
    return member.name


async def freeze(ground: Ground, step: Step) -> str:
    """A process stands still with its connections open, and then goes on as if nothing had been."""
    member = ground.member(step.choice)
    started = member.starts
    member.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(step.seconds)
    finally:
        if member.starts == started:
            member.signal(signal.SIGCONT)
    return member.name


async def restart_postgres(ground: Ground, step: Step) -> str:
    """PostgreSQL is stopped at once, without a checkpoint, and started again."""
    await asyncio.to_thread(ground.server.stop, "immediate")
    await _start(ground.server)
    return "immediate"


async def kill_postgres(ground: Ground, step: Step) -> str:
    """Every process of PostgreSQL is killed; it is away for a while."""
    await asyncio.to_thread(ground.server.kill)
    await asyncio.sleep(step.seconds)
    await _start(ground.server)
    return "with signal 9"


async def kill_backend(ground: Ground, step: Step) -> str:
    """One backend is killed with signal 9, whereupon PostgreSQL ends all of them and recovers."""
    pids = await _ask(ground, f"select pid from pg_stat_activity where {OURS} order by pid")
    if not pids:
        return "none was connected"
    with suppress(ProcessLookupError):
        os.kill(int(str(pids[step.choice % len(pids)][0])), signal.SIGKILL)
    return "one of its backends"


async def cut_connections(ground: Ground, step: Step) -> str:
    """Every connection of the desk is ended by the server."""
    ended = await _ask(ground, f"select pg_terminate_backend(pid) from pg_stat_activity where {OURS}")
    return f"{len(ended)} connections"


async def fill_disk(ground: Ground, step: Step) -> str:
    """PostgreSQL's file system is full for a while; then there is room again, and it is started if it ended."""
    if ground.volume is None:
        raise Impossible("no file system of its own for PostgreSQL: only root mounts one")
    ballast = ground.volume / BALLAST
    with ballast.open("wb") as file:
        left = shutil.disk_usage(ground.volume).free
        with suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(left - 4096 * (step.choice % 64), 1))
    try:
        await asyncio.sleep(step.seconds)
    finally:
        ballast.unlink()
        ran = ground.server.process is not None
        await _start(ground.server)
    return "PostgreSQL went on" if ran else "PostgreSQL had ended"


async def jump_clock(ground: Ground, step: Step) -> str:
    """One process's clock is off for a while, forwards or back."""
    if not ground.clocks:
        raise Impossible("libfaketime is not installed")
    names = sorted(ground.clocks)
    name, jump = names[step.choice % len(names)], JUMPS[step.choice // 7 % len(JUMPS)]
    ground.clocks[name].write_text(jump)
    try:
        await asyncio.sleep(step.seconds)
    finally:
        ground.clocks[name].write_text("+0")
    return f"{name} by {jump} s"


async def wipe_broker(ground: Ground, step: Step) -> str:
    """Everything that is in the broker is gone."""
    if ground.broker is not None:
        await asyncio.to_thread(ground.broker.wipe)
        return "everything that was in it"
    await _ask(ground, "drop schema if exists dramatiq cascade", lock_seconds=5)
    return "its tables dropped"


async def cut_broker(ground: Ground, step: Step) -> str:
    """The broker is killed, or stands still, and comes back; on PostgreSQL its connections are ended for a while."""
    if ground.broker is not None:
        is_killed = step.choice % 2 == 0
        await asyncio.to_thread(ground.broker.kill if is_killed else ground.broker.freeze)
        await asyncio.sleep(step.seconds)
        await asyncio.to_thread(ground.broker.start if is_killed else ground.broker.thaw)
        return "killed" if is_killed else "frozen"
    ended, deadline = 0, asyncio.get_running_loop().time() + step.seconds
    while asyncio.get_running_loop().time() < deadline:
        statement = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'propdesk-broker'"
        ended += len(await _ask(ground, statement))
        await asyncio.sleep(0.2)
    return f"{ended} connections"


async def change_shards(ground: Ground, step: Step) -> str:
    """An operator divides the accounts into another number of shards while the desk runs."""
    count = str(1 + step.choice % SHARDS_MAX)
    status, said = await propdesk("shards", count, env=ground.desk.workers[0].environment)
    return f"to {count}" if status == 0 else f"to {count}: refused, {said.splitlines()[-1] if said else status}"


async def hold_locks(ground: Ground, step: Step) -> str:
    """Lock a table from a session outside the desk, so that statements that need the table wait."""
    table = LOCKED[step.choice % len(LOCKED)]
    with suppress(psycopg.OperationalError):
        async with await psycopg.AsyncConnection.connect(_owner(ground), connect_timeout=5) as conn:
            await conn.execute("set lock_timeout = '5s'")
            with suppress(psycopg.errors.LockNotAvailable):
                await conn.execute(f"lock table {table} in access exclusive mode".encode())
                await asyncio.sleep(step.seconds)
            await conn.rollback()
    return table


Fault = Callable[[Ground, Step], Awaitable[str]]

FAULTS: Mapping[str, tuple[Fault, Kind]] = {
    "kill a process": (kill, Kind(4)),
    "kill two processes": (kill_two, Kind(1)),
    "terminate a process": (terminate, Kind(2)),
    "freeze a process": (freeze, Kind(2, (2.0, 18.0))),
    "restart PostgreSQL": (restart_postgres, Kind(1)),
    "kill PostgreSQL": (kill_postgres, Kind(1, (0.0, 4.0))),
    "kill a backend": (kill_backend, Kind(1)),
    "cut the connections": (cut_connections, Kind(1)),
    "fill the disk": (fill_disk, Kind(1, (3.0, 9.0))),
    "jump a clock": (jump_clock, Kind(2, (4.0, 12.0))),
    "wipe the broker": (wipe_broker, Kind(1)),
    "cut the broker": (cut_broker, Kind(1, (1.0, 6.0))),
    "change the shards": (change_shards, Kind(1)),
    "lock a table": (hold_locks, Kind(2, (1.0, 8.0))),
}
"""What may happen: the function, and how often and how long it does."""

KINDS: Mapping[str, Kind] = {name: kind for name, (_, kind) in FAULTS.items()}


def clock_environment(clock: Path) -> dict[str, str]:
    """The environment of a process whose clock is off by what the file says, its monotonic clock apart."""
    clock.write_text("+0")
    return {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "clock"), os.environ.get("PYTHONPATH", "")]),
    }


async def heal(ground: Ground) -> None:
    """Let everything go on: what is frozen, what is full, what has ended."""
    for member in ground.desk.members:
        if member.frozen:
            member.signal(signal.SIGCONT)
    if ground.broker is not None:
        await asyncio.to_thread(ground.broker.thaw)
        await asyncio.to_thread(ground.broker.start)
    for clock in ground.clocks.values():
        clock.write_text("+0")
    if ground.volume is not None:
        (ground.volume / BALLAST).unlink(missing_ok=True)
    await _start(ground.server)


async def _start(server: Server) -> None:
    """Start PostgreSQL unless it answers; orphans of a killed one may take a while to notice."""
    for attempt in range(START_ATTEMPTS):
        try:
            if server.process is None:
                await asyncio.to_thread(server.start)
            if await asyncio.to_thread(server.answers):
                return
        except Unsuccessful:
            if attempt == START_ATTEMPTS - 1:
                raise
        await asyncio.sleep(0.5)
    raise Unsuccessful(f"{server.name} does not answer")


def _owner(ground: Ground) -> str:
    return ground.server.url("postgres")


async def _ask(ground: Ground, statement: str, lock_seconds: int = 0) -> list[tuple[object, ...]]:
    """Execute a statement as the owner; nothing where PostgreSQL is away or somebody holds a lock."""
    try:
        async with await psycopg.AsyncConnection.connect(_owner(ground), autocommit=True, connect_timeout=5) as conn:
            await conn.execute(f"set lock_timeout = '{lock_seconds}s'".encode())
            cursor = await conn.execute(statement.encode())
            return await cursor.fetchall() if cursor.description else []
    except (psycopg.OperationalError, psycopg.errors.LockNotAvailable):
        return []
