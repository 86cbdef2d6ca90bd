"""What the marker reads and writes: who lives on its shard at which version, and marks in bulk."""

from dataclasses import dataclass, fields
from datetime import timedelta

import numpy as np

from domain.columnar.fixed_point import Flags
from domain.columnar.mark_rows import Marks, Metrics, Notes
from domain.ledger import Kind
from models.columnar import binary_copy
from models.columnar.binary_copy import Bytes, bigint_bytes, numeric_bytes, timestamp_bytes
from models.sql import Connection

HORIZON = "select pg_snapshot_xmin(pg_current_snapshot())::text"
# Nobody here has a number beyond the snapshot's; a row that has was restored from another server.
TOUCHED = """
select account_id, seq, live from balances
where touched >= $1::text::xid8 and touched < pg_snapshot_xmax(pg_current_snapshot()) and account_id % $2 = $3
"""

STAGE = """
create temp table if not exists staged_marks (account_id bigint, seq bigint, seq_after bigint, head bytea,
  marked_through bigint, marked_at timestamptz, unrealised numeric, equity numeric, high_watermark numeric,
  ledger_due_at timestamptz, runs boolean, day_low numeric, day_high numeric, peak_equity numeric,
  metric_due_at timestamptz) on commit delete rows
"""
STAGED = ("account_id", "seq", "seq_after", "head", "marked_through", "marked_at", "unrealised", "equity",
          "high_watermark", "ledger_due_at", "runs", "day_low", "day_high", "peak_equity", "metric_due_at")  # fmt: skip
LOCK_WAIT = "set local lock_timeout = '20ms'"
"""How long a chunk may wait for a row with the others it holds; whoever writes that one has then most often ended."""
SET = """
update balances b set
  seq = n.seq_after, head = n.head, marked_through = n.marked_through, marked_at = n.marked_at,
  unrealised = n.unrealised, equity = n.equity, high_watermark = n.high_watermark,
  ledger_due_at = nullif(n.ledger_due_at, '-infinity'),
  day_low = case when n.runs then n.day_low else b.day_low end,
  day_high = case when n.runs then n.day_high else b.day_high end,
  peak_equity = case when n.runs then n.peak_equity else b.peak_equity end,
  metric_due_at = case when n.runs then nullif(n.metric_due_at, 'infinity') else b.metric_due_at end
"""
UNCHANGED = "b.seq = n.seq and b.marked_through < n.marked_through"  # of a row that was waited for: as it is then
# The range lets a chunk be met by a piece of the index.
TAKE = f"""{SET} from pg_temp.staged_marks n
where b.account_id = n.account_id and b.account_id between $1 and $2 and {UNCHANGED}"""
# Without it, and with ONE_BY_ONE, each of a few is looked up.
TAKE_FEW = f"{SET} from pg_temp.staged_marks n where b.account_id = n.account_id and {UNCHANGED}"
ONE_BY_ONE = "set local enable_hashjoin = off; set local enable_mergejoin = off"
# A row that is locked is where its version says.
TAKE_FREE = f"""
with free as (
  select b.ctid as at, n.* from balances b join pg_temp.staged_marks n using (account_id)
  where b.account_id between $1 and $2 and {UNCHANGED} order by b.account_id for no key update of b skip locked)
{SET} from free n where b.ctid = n.at
"""
TAKEN = """
select account_id from balances where account_id between $1 and $2 and xmin = pg_current_xact_id()::xid
"""
MEASURED = tuple(field.name for field in fields(Metrics))
JSONB_VERSION = b"\x01"
LEDGER = ("account_id", "seq", "amount", "balance_after", "market_time", "batch", "hash", "kind", "facts")


async def snapshot_horizon(conn: Connection) -> str:
    """Every transaction before it has ended: what this snapshot does not show yet will be `touched` since."""
    found: str = await conn.fetchval(HORIZON)
    return found


async def touched_accounts(conn: Connection, since: str, shards: int, shard: int) -> list[tuple[int, int, bool]]:
    """Account, version and whether it is live, of all of the shard that others than markers have written since."""
    return [tuple(row) for row in await conn.fetch(TOUCHED, since, shards, shard)]


@dataclass(frozen=True, slots=True)
class PreparedMarks:
    """Marks and what is sent of them; building it needs no connection, and time in which the database can work."""

    marks: Marks
    balances: bytes
    metrics: bytes
    notes: bytes

    @property
    def span(self) -> tuple[int, int]:
        """The first account and the last; in the book's order they rise, save where it begins again."""
        return int(self.marks.id.min()), int(self.marks.id.max())

    @property
    def is_sparse(self) -> bool:
        """Are most accounts between the first and the last not among them?"""
        first, last = self.span
        return last - first >= 2 * len(self.marks)


def prepare_marks(marks: Marks) -> PreparedMarks:
    return PreparedMarks(marks, encode_marks(marks), encode_metrics(marks.metrics), encode_ledger_rows(marks.notes))


async def stage_marks(conn: Connection, prepared: PreparedMarks) -> None:
    """Send the marks to lie beside the balances, for `write_marks` in the same transaction."""
    await conn.execute(f"{LOCK_WAIT};{ONE_BY_ONE + ';' if prepared.is_sparse else ''}{STAGE}")
    await binary_copy.copy_in(conn, "staged_marks", STAGED, prepared.balances)


async def write_marks(conn: Connection, prepared: PreparedMarks) -> Flags:
    """Write the staged marks whose account nobody has changed; answers which.

    A row that somebody holds is waited for, but not for long: LockNotAvailable.
    """
    if prepared.is_sparse:
        return await _append(conn, prepared, await conn.execute(TAKE_FEW))
    return await _append(conn, prepared, await conn.execute(TAKE, *prepared.span))


async def write_unlocked_marks(conn: Connection, prepared: PreparedMarks) -> Flags:
    """The same, passing over the rows that somebody holds: to lock each first takes half as long again."""
    return await _append(conn, prepared, await conn.execute(TAKE_FREE, *prepared.span))


async def _append(conn: Connection, prepared: PreparedMarks, done: str) -> Flags:
    """Append what goes with the marks that were taken; `done` is the server's word of how many. Answers which."""
    marks, metrics, notes = prepared.marks, prepared.metrics, prepared.notes
    taken = np.ones(len(marks), np.bool_)
    if done != f"UPDATE {len(marks)}":
        taken = np.isin(marks.id, [row[0] for row in await conn.fetch(TAKEN, *prepared.span)])
        ids = marks.id[taken]
        metrics = encode_metrics(marks.metrics.where(np.isin(marks.metrics.account_id, ids)))
        notes = encode_ledger_rows(marks.notes.where(np.isin(marks.notes.account_id, ids)))
    if notes:
        await binary_copy.copy_in(conn, "ledger", LEDGER, notes)
    if metrics:
        await binary_copy.copy_in(conn, "metrics", MEASURED, metrics)
    return taken


def encode_marks(marks: Marks) -> bytes:
    """The marks as they are copied beside the balances."""
    return binary_copy.encode_rows(
        [
            bigint_bytes(marks.id),
            bigint_bytes(marks.seq),
            bigint_bytes(marks.seq_after),
            marks.head,
            bigint_bytes(marks.marked_through),
            timestamp_bytes(marks.marked_at),
            numeric_bytes(marks.unrealised),
            numeric_bytes(marks.equity),
            numeric_bytes(marks.high_watermark),
            timestamp_bytes(marks.ledger_due_at),
            (marks.phase_id > 0).astype(np.uint8).reshape(-1, 1),
            numeric_bytes(marks.day_low),
            numeric_bytes(marks.day_high),
            numeric_bytes(marks.peak_equity),
            timestamp_bytes(marks.metric_due_at),
        ]
    )


def encode_metrics(metrics: Metrics) -> bytes:
    """Metric snapshots as they are copied; nothing where there are none."""
    if not len(metrics.batch):
        return b""
    counts = ("phase_id", "challenge_id", "account_id", "batch")
    kinds = dict.fromkeys(counts, bigint_bytes) | {"market_time": timestamp_bytes}
    return binary_copy.encode_rows([kinds.get(name, numeric_bytes)(getattr(metrics, name)) for name in MEASURED])


def encode_ledger_rows(notes: Notes) -> bytes:
    """mark_to_market rows as they are copied; nothing where there are none."""
    if not len(notes.batch):
        return b""
    kind = np.frombuffer(Kind.MARK_TO_MARKET.value.encode(), np.uint8)
    columns: list[Bytes] = [
        bigint_bytes(notes.account_id),
        bigint_bytes(notes.seq),
        numeric_bytes(np.zeros(len(notes.batch), np.int64)),
        numeric_bytes(notes.balance),
        timestamp_bytes(notes.market_time),
        bigint_bytes(notes.batch),
        notes.hash,
        np.broadcast_to(kind, (len(notes.batch), len(kind))),
    ]
    return binary_copy.encode_rows_with_text(columns, [JSONB_VERSION + facts.encode() for facts in notes.facts])


async def record_progress(conn: Connection, shard: int, through: int, owner: str | None, fence: int | None) -> bool:
    """Note how far the shard has been judged; False where it has another owner, or is no shard of the desk any more.

    Without an owner whoever has the shard is not asked for.
    """
    done = await conn.execute(
        """update shards set through = greatest(through, $2), passes = passes + 1, updated_at = clock_timestamp()
        where shard = $1 and ($3::text is null or (owner = $3 and fence = $4::bigint))""",
        shard,
        through,
        owner,
        fence,
    )
    return bool(done == "UPDATE 1")


async def live_accounts(conn: Connection, behind: timedelta | None = None) -> list[tuple[int, int | None]]:
    """Return every live account with its challenge, if it has one.

    With `behind` only those that the newest batch recorded so long ago, or any after it, has not marked.
    """
    rows = await conn.fetch(
        """select b.account_id, a.challenge_id from balances b join accounts a on a.id = b.account_id
        where b.live and ($1::interval is null or b.marked_through < (
          select number from batches where recorded_at < clock_timestamp() - $1::interval order by number desc limit 1))
        """,
        behind,
    )
    return [(account, challenge) for account, challenge in rows]
