"""Statements of the marker: changes of its shard's accounts by others, and the bulk write of marks."""

from dataclasses import dataclass, fields
from datetime import timedelta

import numpy as np

from domain.columnar.fixed_point import Flags
from domain.columnar.mark_rows import LedgerNotes, MarkRows, MetricRows
from domain.ledger import Kind
from models.columnar import binary_copy
from models.columnar.binary_copy import Bytes, bigint_bytes, numeric_bytes, timestamp_bytes
from models.sql import Connection

HORIZON = "select pg_snapshot_xmin(pg_current_snapshot())::text"
# No transaction of this server has a number beyond the snapshot's; a row with one was restored from another server.
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
"""The time for which a chunk, which holds locks itself, may wait for a locked row; most writers end within it."""
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
UNCHANGED = "b.seq = n.seq and b.marked_through < n.marked_through"  # evaluated again after a wait for the row
# The range lets PostgreSQL read one stretch of the index for a chunk.
UPDATE_CHUNK = f"""{SET} from pg_temp.staged_marks n
where b.account_id = n.account_id and b.account_id between $1 and $2 and {UNCHANGED}"""
# Without the range, and with ONE_BY_ONE, PostgreSQL looks up each of few accounts.
UPDATE_FEW = f"{SET} from pg_temp.staged_marks n where b.account_id = n.account_id and {UNCHANGED}"
ONE_BY_ONE = "set local enable_hashjoin = off; set local enable_mergejoin = off"
# We hold the row lock, so the ctid of a row cannot change before the update: join by ctid.
UPDATE_UNLOCKED = f"""
with free as (
  select b.ctid as at, n.* from balances b join pg_temp.staged_marks n using (account_id)
  where b.account_id between $1 and $2 and {UNCHANGED} order by b.account_id for no key update of b skip locked)
{SET} from free n where b.ctid = n.at
"""
UPDATED = """
select account_id from balances where account_id between $1 and $2 and xmin = pg_current_xact_id()::xid
"""
MEASURED = tuple(field.name for field in fields(MetricRows))
JSONB_VERSION = b"\x01"
LEDGER = ("account_id", "seq", "amount", "balance_after", "market_time", "batch", "hash", "kind", "facts")


async def snapshot_horizon(conn: Connection) -> str:
    """Return the oldest transaction that still runs: later changes will have `touched` at or after it."""
    transaction: str = await conn.fetchval(HORIZON)
    return transaction


async def touched_accounts(conn: Connection, since: str, shards: int, shard: int) -> list[tuple[int, int, bool]]:
    """Return id, seq and live of each account of the shard that was changed otherwise than by a mark since then."""
    return [tuple(row) for row in await conn.fetch(TOUCHED, since, shards, shard)]


@dataclass(frozen=True, slots=True)
class PreparedMarks:
    """Marks with their COPY data, which is built before a connection is taken."""

    marks: MarkRows
    balances: bytes
    metrics: bytes
    notes: bytes

    @property
    def span(self) -> tuple[int, int]:
        """The lowest and the highest account id."""
        return int(self.marks.id.min()), int(self.marks.id.max())

    @property
    def is_sparse(self) -> bool:
        """Whether most accounts between the lowest and the highest id are not among the marks."""
        first, last = self.span
        return last - first >= 2 * len(self.marks)


def prepare_marks(marks: MarkRows) -> PreparedMarks:
    return PreparedMarks(marks, _encode_marks(marks), _encode_metrics(marks.metrics), _encode_ledger_rows(marks.notes))


async def stage_marks(conn: Connection, prepared: PreparedMarks) -> None:
    """Copy the marks into a temporary table, from which `write_marks` of the same transaction reads them."""
    await conn.execute(f"{LOCK_WAIT};{ONE_BY_ONE + ';' if prepared.is_sparse else ''}{STAGE}")
    await binary_copy.copy_in(conn, "staged_marks", STAGED, prepared.balances)


async def write_marks(conn: Connection, prepared: PreparedMarks) -> Flags:
    """Write the staged marks of the accounts that nobody has changed; return a flag for each mark.

    Raises LockNotAvailable where another transaction keeps a row locked for longer than LOCK_WAIT.
    """
    if prepared.is_sparse:
        return await _append(conn, prepared, await conn.execute(UPDATE_FEW))
    return await _append(conn, prepared, await conn.execute(UPDATE_CHUNK, *prepared.span))


async def write_unlocked_marks(conn: Connection, prepared: PreparedMarks) -> Flags:
    """Write the staged marks but skip locked rows. It takes half as long again, because each row is locked first."""
    return await _append(conn, prepared, await conn.execute(UPDATE_UNLOCKED, *prepared.span))


async def _append(conn: Connection, prepared: PreparedMarks, done: str) -> Flags:
    """Append the ledger rows and metrics of the marks that were written; return a flag for each mark.

    `done` is the command tag of the update, with the number of rows.
    """
    marks, metrics, notes = prepared.marks, prepared.metrics, prepared.notes
    written = np.ones(len(marks), np.bool_)
    if done != f"UPDATE {len(marks)}":
        written = np.isin(marks.id, [row[0] for row in await conn.fetch(UPDATED, *prepared.span)])
        ids = marks.id[written]
        metrics = _encode_metrics(marks.metrics.where(np.isin(marks.metrics.account_id, ids)))
        notes = _encode_ledger_rows(marks.notes.where(np.isin(marks.notes.account_id, ids)))
    if notes:
        await binary_copy.copy_in(conn, "ledger", LEDGER, notes)
    if metrics:
        await binary_copy.copy_in(conn, "metrics", MEASURED, metrics)
    return written


def _encode_marks(marks: MarkRows) -> bytes:
    """Return the COPY data of the marks."""
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


def _encode_metrics(metrics: MetricRows) -> bytes:
    """Return the COPY data of metric snapshots; empty without any."""
    if not len(metrics.batch):
        return b""
    counts = ("phase_id", "challenge_id", "account_id", "batch")
    kinds = dict.fromkeys(counts, bigint_bytes) | {"market_time": timestamp_bytes}
    return binary_copy.encode_rows([kinds.get(name, numeric_bytes)(getattr(metrics, name)) for name in MEASURED])


def _encode_ledger_rows(notes: LedgerNotes) -> bytes:
    """Return the COPY data of mark_to_market ledger rows; empty without any."""
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
    """Record the newest batch that the shard has judged; return False if it has another owner or no longer exists.

    Without an `owner` the owner is not checked.
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

    With `behind`, only those that are not marked through the newest batch that was recorded at least so long ago.
    """
    rows = await conn.fetch(
        """select b.account_id, a.challenge_id from balances b join accounts a on a.id = b.account_id
        where b.live and ($1::interval is null or b.marked_through < (
          select number from batches where recorded_at < clock_timestamp() - $1::interval order by number desc limit 1))
        """,
        behind,
    )
    return [(account, challenge) for account, challenge in rows]
