"""What the marker reads and writes: who lives on its shard at which version, and marks in bulk."""

from collections.abc import Sequence
from typing import Any

from domain.marks import Marks, Metrics
from models import sql
from models.journal import INSERT_LEDGER, ledger_columns
from models.sql import Connection

LIVE = "select account_id, seq from balances where live and account_id % $1 = $2"

_COLUMNS: sql.Columns = {
    "account_id": "bigint",
    "seq": "bigint",
    "seq_after": "bigint",
    "head": "bytea",
    "marked_through": "bigint",
    "marked_at": "timestamptz",
    "unrealised": "bigint",
    "equity": "bigint",
    "high_watermark": "bigint",
    "ledger_due_at": "timestamptz",
    "phase_id": "bigint",
    "day_low": "bigint",
    "day_high": "bigint",
    "peak_equity": "bigint",
    "metric_due_at": "timestamptz",
}
_UNNEST = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(_COLUMNS.values(), 1))
_NAMES = ", ".join(_COLUMNS)
# Amounts travel as whole units of 1e-8: arrays of numerics take three times as long.
WRITE = f"""
with n as (select * from unnest({_UNNEST}) as n ({_NAMES})),
free as (
  select b.account_id from balances b join n using (account_id)
  where b.seq = n.seq and b.marked_through < n.marked_through
  order by b.account_id for no key update of b skip locked)
update balances b set
  seq = n.seq_after, head = n.head, marked_through = n.marked_through, marked_at = n.marked_at,
  unrealised = n.unrealised * 0.00000001, equity = n.equity * 0.00000001,
  high_watermark = n.high_watermark * 0.00000001, ledger_due_at = n.ledger_due_at,
  day_low = case when n.phase_id > 0 then n.day_low * 0.00000001 else b.day_low end,
  day_high = case when n.phase_id > 0 then n.day_high * 0.00000001 else b.day_high end,
  peak_equity = case when n.phase_id > 0 then n.peak_equity * 0.00000001 else b.peak_equity end,
  metric_due_at = case when n.phase_id > 0 then n.metric_due_at else b.metric_due_at end
from n join free using (account_id) where b.account_id = n.account_id
returning b.account_id
"""
METRICS = """
insert into metrics (phase_id, challenge_id, account_id, market_time, batch, balance, equity, day_start_balance,
  day_start_equity, day_low, day_high, peak_equity)
select phase_id, challenge_id, account_id, market_time, batch, balance * 0.00000001, equity * 0.00000001,
  day_start_balance * 0.00000001, day_start_equity * 0.00000001, day_low * 0.00000001, day_high * 0.00000001,
  peak_equity * 0.00000001
from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::bigint[],
  $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[]) as n (phase_id, challenge_id, account_id,
  market_time, batch, balance, equity, day_start_balance, day_start_equity, day_low, day_high, peak_equity)
where account_id = any($13::bigint[])
"""


async def live(conn: Connection, shards: int, shard: int) -> dict[int, int]:
    """Version by account, of every live account of the shard."""
    return {row["account_id"]: row["seq"] for row in await conn.fetch(LIVE, shards, shard)}


async def write(conn: Connection, marks: Marks) -> list[int]:
    """Write the marks whose account nobody holds or has changed; answers those accounts."""
    columns: list[Sequence[Any]] = [
        marks.id,
        marks.seq,
        marks.seq_after,
        marks.head,
        marks.marked_through,
        marks.marked_at,
        marks.unrealised,
        marks.equity,
        marks.high_watermark,
        marks.ledger_due_at,
        marks.phase_id,
        marks.day_low,
        marks.day_high,
        marks.peak_equity,
        marks.metric_due_at,
    ]
    taken = [row["account_id"] for row in await conn.fetch(WRITE, *columns)]
    written = set(taken)
    rows = [row for row in marks.rows if row.account in written]
    await sql.write(conn, INSERT_LEDGER, ledger_columns(rows))
    await _write_metrics(conn, marks.metrics, taken)
    return taken


async def _write_metrics(conn: Connection, metrics: Metrics, accounts: Sequence[int]) -> None:
    if metrics.phase_id:
        await conn.execute(
            METRICS,
            metrics.phase_id,
            metrics.challenge_id,
            metrics.account_id,
            metrics.market_time,
            metrics.batch,
            metrics.balance,
            metrics.equity,
            metrics.day_start_balance,
            metrics.day_start_equity,
            metrics.day_low,
            metrics.day_high,
            metrics.peak_equity,
            accounts,
        )


async def record(conn: Connection, shard: int, through: int) -> None:
    """How far the shard has been judged."""
    await conn.execute(
        """insert into shards (shard, through, passes) values ($1, $2, 1)
        on conflict (shard) do update set through = greatest(shards.through, excluded.through),
          passes = shards.passes + 1, updated_at = clock_timestamp()""",
        shard,
        through,
    )
