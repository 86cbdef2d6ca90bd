"""The columnar twin of `desk.catch_up`: every live account repriced together, in int64 units of 1e-8.

An account that needs nothing but a mark is moved in columns; one that may need more is handed over and left as it
was, for `catch_up` to move it under its lock. Whatever the book moves, it moves to the last digit as `catch_up` would.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from domain import days
from domain.accounts import Account, Journal, Mode, PhaseRun
from domain.columns import LEAST, MOST, UNITS_MAX, Columns, Flags, Ints, amount, factor_max, multiply, units
from domain.desk import Conditions
from domain.headroom import thresholds
from domain.ledger import EPOCH, MICROSECOND, Row, microseconds
from domain.lifecycles import AccountStatus
from domain.money import ZERO, round8
from domain.positions import Position, Side
from domain.quotes import Batch, Market, Quote
from domain.terms import PhaseTerms, Policy, Slippage
from domain.valuation import mark_price, position_unrealised

NEVER = MOST  # a time that no clock reaches
FIRST_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metric snapshots as columns of one length; amounts in units of 1e-8. See accounts.Metric."""

    phase_id: list[int] = field(default_factory=list)
    challenge_id: list[int] = field(default_factory=list)
    account_id: list[int] = field(default_factory=list)
    market_time: list[datetime] = field(default_factory=list)
    batch: list[int] = field(default_factory=list)
    balance: list[int] = field(default_factory=list)
    equity: list[int] = field(default_factory=list)
    day_start_balance: list[int] = field(default_factory=list)
    day_start_equity: list[int] = field(default_factory=list)
    day_low: list[int] = field(default_factory=list)
    day_high: list[int] = field(default_factory=list)
    peak_equity: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Marks:
    """Marked accounts ready to be written, as columns of one length; amounts in units of 1e-8.

    A row counts only while the account's version still is `seq`; it becomes `seq_after`, with `head` its hash.
    `phase_id` is 0 where no phase runs, and the phase's figures then mean nothing.
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
