"""Who owns which shard: locks of a session say it now, a fencing number in the shard's row proves it in each write.

Everything about locks runs on the session's own connection: they end with it.
"""

from dataclasses import dataclass

from models.locks import AdvisoryLock
from models.sql import Connection

CHANNEL = "propdesk_shards"
"""What is said on it is one of the next two words."""
BATCHES = "batches"  # there are batches to be judged; then comes the process that says so
SHARES = "shares"  # a worker came or went, a shard is free, or their number has changed

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
# Evaluated row by row, so the first that is free is the only one that is locked.
ENTER = f"""
select n from generate_series(0, {WORKERS_MAX - 1}) n
where pg_try_advisory_lock({AdvisoryLock.WORKER.value}, n) limit 1
"""
# An owner that is still writing is waited for: its transaction shares the row.
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

# Who is to be ended is found out first: in a condition the function could be called before the others are looked at.
ENDED = """
with ended as materialized (
  select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and {})
select count(*) filter (where pg_terminate_backend(pid)) from ended
"""
BLOCKERS = ENDED.format("pid = any(pg_blocking_pids($1)) and wait_event_type is distinct from 'Lock'")
# A worker has a session that its shards hang on beside its others; without that one it is not there any more.
LEFT = ENDED.format("""application_name ~ $1 and xact_start < clock_timestamp() - make_interval(secs => $3)
    and not exists (select from pg_stat_activity s where s.datname = current_database()
      and s.application_name = left($2 || substring(pg_stat_activity.application_name from $1), 63))""")


@dataclass(frozen=True, slots=True)
class ShardLayout:
    """What a look at the locks shows."""

    shards: int  # how many there are
    workers: dict[int, int]  # by number: how many shards each owns
    own: frozenset[int]  # the shards that the asking session owns
    free: list[int]  # the shards that nobody owns
    sessions: frozenset[int]  # of those who are present


@dataclass(frozen=True, slots=True)
class ShardState:
    """A shard as operators see it."""

    shard: int
    owner: str | None  # the process; None while nobody owns it
    through: int  # the newest batch it has judged
    lag_seconds: float  # since the oldest batch that it has not judged was recorded; 0: none is left


async def register_worker(conn: Connection) -> int:
    """Be present as a worker for as long as the session lasts; return the worker's number."""
    number: int | None = await conn.fetchval(ENTER)
    assert number is not None, f"no desk has {WORKERS_MAX} workers"
    return number


async def read_layout(conn: Connection) -> ShardLayout:
    """Return who is present and who owns what."""
    rows = await conn.fetch(LAYOUT)
    [(shards, me)] = [(number, pid) for kind, number, pid in rows if kind is None]
    owners = {number: pid for kind, number, pid in rows if kind == AdvisoryLock.SHARD and number < shards}
    owned = list(owners.values())
    workers = {number: owned.count(pid) for kind, number, pid in rows if kind == AdvisoryLock.WORKER}
    own = frozenset(number for kind, number, pid in rows if kind == AdvisoryLock.SHARD and pid == me)
    sessions = frozenset(pid for kind, _, pid in rows if kind == AdvisoryLock.WORKER)
    return ShardLayout(shards, workers, own, [shard for shard in range(shards) if shard not in owners], sessions)


async def lock_shard(conn: Connection, shard: int) -> bool:
    """Lock the shard for the session; False where another has it."""
    is_locked: bool = await conn.fetchval("select pg_try_advisory_lock($1, $2)", AdvisoryLock.SHARD.value, shard)
    return is_locked


async def unlock_shard(conn: Connection, shard: int) -> None:
    """Let go of the shard's lock."""
    await conn.execute("select pg_advisory_unlock($1, $2)", AdvisoryLock.SHARD.value, shard)


async def raise_fence(conn: Connection, shard: int, owner: str, shards: int) -> tuple[int, str | None] | None:
    """Return the shard's new fencing number, which its former owner does not know, and who that was, if it still is.

    None where the desk has not so many shards any more. The caller has the shard's lock.
    """
    row = await conn.fetchrow(RAISE, shard, owner, shards)
    return row and (row["fence"], row["before"])


async def release_shard(conn: Connection, shard: int, owner: str, fence: int) -> None:
    """Note that the owner has given the shard up."""
    await conn.execute(
        "update shards set owner = null where shard = $1 and owner = $2 and fence = $3", shard, owner, fence
    )


async def holds_fence(conn: Connection, shard: int, owner: str, fence: int) -> bool:
    """Is the fencing number still the owner's? If so it stays so until the transaction ends."""
    return await conn.fetchval(
        "select true from shards where shard = $1 and owner = $2 and fence = $3 for share", shard, owner, fence
    ) is not None  # fmt: skip


async def end_blockers(conn: Connection, pid: int) -> int:
    """End the sessions that the one of that process waits for, but for those that wait themselves; return how many."""
    ended: int = await conn.fetchval(BLOCKERS, pid)
    return ended


async def end_orphaned_sessions(conn: Connection, others: str, own: str, seconds: float) -> int:
    """End the sessions of workers that are not there any more whose transaction has gone on for so long; how many.

    `others`: a pattern of the names of a worker's other sessions, whose group is the process; `own`: what stands before
    the process in the name of the session that its shards hang on.
    """
    ended: int = await conn.fetchval(LEFT, others, own, seconds)
    return ended


async def notify_workers(conn: Connection, word: str) -> None:
    """Tell every worker one of the words of CHANNEL."""
    await conn.execute("select pg_notify($1, $2)", CHANNEL, word)


async def shard_states(conn: Connection) -> list[ShardState]:
    """Return every shard, in order."""
    return [ShardState(*row) for row in await conn.fetch(STATES)]


async def set_shard_count(conn: Connection, shards: int, *, initial: bool = False) -> tuple[int, int]:
    """Divide the accounts into so many shards; return how many there were and how many there are now.

    With `initial` only where no shard has had an owner yet. New shards begin where the one that is farthest behind
    stands, and no former owner knows their fencing number.
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
    """Return the moment in which the desk was made: no two desks have the same."""
    return await conn.fetchval("select created_at from desk")
