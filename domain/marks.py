"""What the book writes: marked accounts, metric snapshots and mark_to_market rows, in columns for bulk statements."""

from dataclasses import dataclass
from datetime import datetime

from domain.ledger import Row


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metric snapshots as columns of one length; amounts in units of 1e-8."""

    phase_id: list[int]
    challenge_id: list[int]
    account_id: list[int]
    market_time: list[datetime]
    batch: list[int]
    balance: list[int]
    equity: list[int]
    day_start_balance: list[int]
    day_start_equity: list[int]
    day_low: list[int]
    day_high: list[int]
    peak_equity: list[int]


@dataclass(frozen=True, slots=True)
class Marks:
    """Marked accounts as columns of one length; amounts in units of 1e-8.

    A row may only be written while the account's version is `seq` and its `marked_through` is older; the version
    becomes `seq_after`, with the hash `head`. Where no phase runs `phase_id` and the phase's figures are 0.
    `metrics` and `rows` are of these accounts, and written with them.
    """

    id: list[int]
    seq: list[int]
    seq_after: list[int]
    head: list[bytes]
    marked_through: list[int]
    marked_at: list[datetime]
    unrealised: list[int]
    equity: list[int]
    high_watermark: list[int]
    ledger_due_at: list[datetime | None]
    phase_id: list[int]
    day_low: list[int]
    day_high: list[int]
    peak_equity: list[int]
    metric_due_at: list[datetime | None]
    metrics: Metrics
    rows: list[Row]
