"""What the marker reads and writes: who lives on its shard at which version, and marks in bulk."""

from dataclasses import dataclass, fields

import numpy as np

from domain.columns import Flags, Ints
from domain.ledger import Kind
from domain.marks import Marks, Metrics, Notes
from models import copying
from models.copying import Bytes, instant, money, whole
from models.sql import Connection

LIVE = "select account_id, seq from balances where live and account_id % $1 = $2 order by account_id"

STAGE = """
create temp table if not exists staged_marks (account_id bigint, seq bigint, seq_after bigint, head bytea,
  marked_through bigint, marked_at timestamptz, unrealised numeric, equity numeric, high_watermark numeric,
  ledger_due_at timestamptz, runs boolean, day_low numeric, day_high numeric, peak_equity numeric,
  metric_due_at timestamptz) on commit delete rows
"""
STAGED = ("account_id", "seq", "seq_after", "head", "marked_through", "marked_at", "unrealised", "equity",
          "high_watermark", "ledger_due_at", "runs", "day_low", "day_high", "peak_equity", "metric_due_at")  # fmt: skip
# The range lets a chunk be met by a piece of the index; a row that is locked is where its version says.
TAKE = """
with free as (
  select b.ctid as at, n.* from balances b join pg_temp.staged_marks n using (account_id)
  where b.account_id between $1 and $2 and b.seq = n.seq and b.marked_through < n.marked_through
  order by b.account_id for no key update of b skip locked)
update balances b set
  seq = n.seq_after, head = n.head, marked_through = n.marked_through, marked_at = n.marked_at,
  unrealised = n.unrealised, equity = n.equity, high_watermark = n.high_watermark,
  ledger_due_at = nullif(n.ledger_due_at, '-infinity'),
  day_low = case when n.runs then n.day_low else b.day_low end,
  day_high = case when n.runs then n.day_high else b.day_high end,
  peak_equity = case when n.runs then n.peak_equity else b.peak_equity end,
  metric_due_at = case when n.runs then nullif(n.metric_due_at, 'infinity') else b.metric_due_at end
from free n where b.ctid = n.at
returning b.account_id
"""
MEASURED = tuple(field.name for field in fields(Metrics))
JSONB_VERSION = b"\x01"
LEDGER = ("account_id", "seq", "amount", "balance_after", "market_time", "batch", "hash", "kind", "facts")


async def live(conn: Connection, shards: int, shard: int) -> tuple[Ints, Ints]:
    """Every live account of the shard in order, and its version."""
    found = await copying.read(conn, LIVE, [("id", ">i8"), ("seq", ">i8")], shards, shard)
    return found["id"], found["seq"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Marks and what is sent of them; building it needs no connection, and time in which the database can work."""

    marks: Marks
    balances: bytes
    metrics: bytes
    notes: bytes


def prepare(marks: Marks) -> Prepared:
    return Prepared(marks, staged(marks), measured_rows(marks.metrics), noted_rows(marks.notes))


async def write(conn: Connection, prepared: Prepared) -> Flags:
    """Write the marks whose account nobody holds or has changed; answers which."""
    marks = prepared.marks
    await conn.execute(STAGE)
    await copying.write(conn, "staged_marks", STAGED, prepared.balances)
    found = await conn.fetch(TAKE, int(marks.id.min()), int(marks.id.max()))
    taken = np.isin(marks.id, [row[0] for row in found])
    metrics, notes = prepared.metrics, prepared.notes
    if not taken.all():
        ids = marks.id[taken]
        metrics = measured_rows(marks.metrics.where(np.isin(marks.metrics.account_id, ids)))
        notes = noted_rows(marks.notes.where(np.isin(marks.notes.account_id, ids)))
    if notes:
        await copying.write(conn, "ledger", LEDGER, notes)
    if metrics:
        await copying.write(conn, "metrics", MEASURED, metrics)
    return taken


def staged(marks: Marks) -> bytes:
    """The marks as they are copied beside the balances."""
    return copying.table(
        [
            whole(marks.id),
            whole(marks.seq),
            whole(marks.seq_after),
            marks.head,
            whole(marks.marked_through),
            instant(marks.marked_at),
            money(marks.unrealised),
            money(marks.equity),
            money(marks.high_watermark),
            instant(marks.ledger_due_at),
            (marks.phase_id > 0).astype(np.uint8).reshape(-1, 1),
            money(marks.day_low),
            money(marks.day_high),
            money(marks.peak_equity),
            instant(marks.metric_due_at),
        ]
    )


def measured_rows(metrics: Metrics) -> bytes:
    """Metric snapshots as they are copied; nothing where there are none."""
    if not len(metrics.batch):
        return b""
    counts = ("phase_id", "challenge_id", "account_id", "batch")
    kinds = dict.fromkeys(counts, whole) | {"market_time": instant}
    return copying.table([kinds.get(name, money)(getattr(metrics, name)) for name in MEASURED])


def noted_rows(notes: Notes) -> bytes:
    """mark_to_market rows as they are copied; nothing where there are none."""
    if not len(notes.batch):
        return b""
    kind = np.frombuffer(Kind.MARK_TO_MARKET.value.encode(), np.uint8)
    columns: list[Bytes] = [
        whole(notes.account_id),
        whole(notes.seq),
        money(np.zeros(len(notes.batch), np.int64)),
        money(notes.balance),
        instant(notes.market_time),
        whole(notes.batch),
        notes.hash,
        np.broadcast_to(kind, (len(notes.batch), len(kind))),
    ]
    return copying.table_with_text(columns, [JSONB_VERSION + facts.encode() for facts in notes.facts])


async def record(conn: Connection, shard: int, through: int) -> None:
    """How far the shard has been judged."""
    await conn.execute(
        """insert into shards (shard, through, passes) values ($1, $2, 1)
        on conflict (shard) do update set through = greatest(shards.through, excluded.through),
          passes = shards.passes + 1, updated_at = clock_timestamp()""",
        shard,
        through,
    )


async def challenges(conn: Connection) -> list[tuple[int, int | None]]:
    """Every live account with its challenge, if it has one."""
    rows = await conn.fetch(
        "select b.account_id, a.challenge_id from balances b join accounts a on a.id = b.account_id where b.live"
    )
    return [(account, challenge) for account, challenge in rows]
