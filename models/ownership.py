"""Ownership of shards: a session lock marks the owner, a fencing number in the shard's row guards each write.

Session locks are taken on the owner's own connection and end with it.
"""

from dataclasses import dataclass

from models.locks import AdvisoryLock
from models.sql import Connection

CHANNEL = "propdesk_shards"
"""The channel of notifications to workers. The message is one of the next two words."""
BATCHES = "batches"  # there are batches to judge; the name of the sending process follows
SHARES = "shares"  # a worker came or went, a shard is free, or the number of shards has changed

WORKERS_MAX = 1_000

LOCKS = """
select l.classid::bigint as class, l.objid::bigint as number, l.pid from pg_locks l
join pg_database d on d.oid = l.database
where l.locktype = 'advisory' and l.objsubid = 2 and l.granted and d.datname = current_database()
"""
LAYOUT = f"""
select null as class, shards as number, pg_backend_pid() as pid from desk
union all
{LOCKS} and l.classid in ({AdvisoryLock.WORKER.value}, {AdvisoryLock.SHARD.value})
"""
# Evaluated row by row, so only the first free number is locked.
ENTER = f"""
select n from generate_series(0, {WORKERS_MAX - 1}) n
where pg_try_advisory_lock({AdvisoryLock.WORKER.value}, n) limit 1
"""
# Waits for a write of the former owner, whose transaction holds a shared lock on the row.
RAISE = """
update shards s set fence = s.fence + 1, owner = $2 from desk d, (select owner from shards where shard = $1) b
where s.shard = $1 and d.shards = $3 returning s.fence, b.owner as before
"""
STATES = f"""
select s.shard, case when l.pid is not null then s.owner end as owner, s.through,
  coalesce((select extract(epoch from clock_timestamp() - recorded_at)::float8 from batches
    where number > s.through order by number limit 1), 0) as lag_seconds
from shards s left join ({LOCKS} and l.classid = {AdvisoryLock.SHARD.value}) l on l.number = s.shard order by s.shard
"""

# Materialised first: in one condition, PostgreSQL might end a session before it tests the other conditions.
ENDED = """
with ended as materialized (
  select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and {})
select count(*) filter (where pg_terminate_backend(pid)) from ended
"""
BLOCKERS = ENDED.format("pid = any(pg_blocking_pids($1)) and wait_event_type is distinct from 'Lock'")
# A worker holds its shards by one session next to its others. Without that session the worker is gone.
LEFT = ENDED.format("""application_name ~ $1 and xact_start < clock_timestamp() - make_interval(secs => $3)
    and not exists (select from pg_stat_activity s where s.datname = current_database()
      and s.application_name = left($2 || substring(pg_stat_activity.application_name from $1), 63))""")


@dataclass(frozen=True, slots=True)
class ShardLayout:
    """The shards and workers according to the locks."""

    shards: int  # their number
    workers: dict[int, int]  # number of shards of each worker, by its number
    own: frozenset[int]  # shards of the asking session
    free: list[int]  # shards without an owner
    sessions: frozenset[int]  # process ids of the workers' sessions


@dataclass(frozen=True, slots=True)
class ShardState:
    """The state of a shard, for operators."""

    shard: int
    owner: str | None  # the owner's process; None without an owner
    through: int  # the newest batch that the shard has judged
    lag_seconds: float  # age of the oldest batch that it has not judged; 0 if there is none


async def register_worker(conn: Connection) -> int:
    """Register the session as a worker until it ends; return the worker's number."""
    number: int | None = await conn.fetchval(ENTER)
    assert number is not None, f"all {WORKERS_MAX} worker numbers are in use"
    return number


async def read_layout(conn: Connection) -> ShardLayout:
    """Return the shards and workers according to the locks."""
    rows = await conn.fetch(LAYOUT)
    [(shards, me)] = [(number, pid) for kind, number, pid in rows if kind is None]
    owners = {number: pid for kind, number, pid in rows if kind == AdvisoryLock.SHARD and number < shards}
    owned = list(owners.values())
    workers = {number: owned.count(pid) for kind, number, pid in rows if kind == AdvisoryLock.WORKER}
    own = frozenset(number for kind, number, pid in rows if kind == AdvisoryLock.SHARD and pid == me)
    sessions = frozenset(pid for kind, _, pid in rows if kind == AdvisoryLock.WORKER)
    return ShardLayout(shards, workers, own, [shard for shard in range(shards) if shard not in owners], sessions)


async def lock_shard(conn: Connection, shard: int) -> bool:
    """Lock the shard for the session; return False if another session holds the lock."""
    is_locked: bool = await conn.fetchval("select pg_try_advisory_lock($1, $2)", AdvisoryLock.SHARD.value, shard)
    return is_locked


async def unlock_shard(conn: Connection, shard: int) -> None:
    """Release the session's lock of the shard."""
    await conn.execute("select pg_advisory_unlock($1, $2)", AdvisoryLock.SHARD.value, shard)


async def raise_fence(conn: Connection, shard: int, owner: str, shards: int) -> tuple[int, str | None] | None:
    """Make `owner` the owner of the shard; return its new fencing number and the former owner, if there is one.

    Return None if the desk no longer has this number of shards. The caller holds the shard's lock.
    """
    row = await conn.fetchrow(RAISE, shard, owner, shards)
    return row and (row["fence"], row["before"])


async def release_shard(conn: Connection, shard: int, owner: str, fence: int) -> None:
    """Remove the owner of the shard, if it still is the owner."""
    await conn.execute(
        "update shards set owner = null where shard = $1 and owner = $2 and fence = $3", shard, owner, fence
    )


async def holds_fence(conn: Connection, shard: int, owner: str, fence: int) -> bool:
    """Return whether the owner's fencing number is in force; if so, keep it in force until the transaction ends."""
    return await conn.fetchval(
        "select true from shards where shard = $1 and owner = $2 and fence = $3 for share", shard, owner, fence
    ) is not None  # fmt: skip


async def end_blockers(conn: Connection, pid: int) -> int:
    """End the sessions that block the session with this process id and do not wait themselves; return how many."""
    ended: int = await conn.fetchval(BLOCKERS, pid)
    return ended


async def end_orphaned_sessions(conn: Connection, others: str, own: str, seconds: float) -> int:
    """End sessions of vanished workers whose transaction is older than `seconds`; return how many.

    `others`: pattern of the names of a worker's other sessions, whose group is the process name. `own`: the prefix
    before the process name in the name of the session that holds its shards.
    """
    ended: int = await conn.fetchval(LEFT, others, own, seconds)
    return ended


async def notify_workers(conn: Connection, word: str) -> None:
    """Send one of the words of CHANNEL to every worker."""
    await conn.execute("select pg_notify($1, $2)", CHANNEL, word)


async def shard_states(conn: Connection) -> list[ShardState]:
    """Return the state of every shard, in order."""
    return [ShardState(*row) for row in await conn.fetch(STATES)]


async def set_shard_count(conn: Connection, shards: int, *, initial: bool = False) -> tuple[int, int]:
    """Set the number of shards; return the former and the new number.

    With `initial`, do so only if no shard has had an owner yet. New shards begin at the lowest batch that any old shard
    has judged, with a fencing number that no former owner has.
    """
    await conn.execute("set local lock_timeout = '10s'")
    before: int = await conn.fetchval("select shards from desk where id = 1 for update")
    rows = await conn.fetch("select shard, through, fence from shards order by shard for update")
    fence = max((row["fence"] for row in rows), default=0)
    if shards == before or (initial and fence):
        return before, before
    await conn.execute("update desk set shards = $1 where id = 1", shards)
    await conn.execute("delete from shards")
    await conn.execute(
        "insert into shards (shard, through, fence) select n, $2, $3 from generate_series(0, $1 - 1) n",
        shards,
        min((row["through"] for row in rows), default=0),
        fence + 1,
    )
    return before, shards


async def shard_count(conn: Connection) -> int:
    """Return the number of shards."""
    shards: int = await conn.fetchval("select shards from desk")
    return shards


async def desk_created_at(conn: Connection) -> object:
    """Return the time at which the desk was created, which identifies it."""
    return await conn.fetchval("select created_at from desk")
