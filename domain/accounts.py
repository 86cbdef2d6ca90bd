"""The state the fold carries: an account, and the run of a challenge's phase on it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from domain.frozen import replace
from domain.ledger import GENESIS, Entry, Facts, Kind, Row, follow
from domain.lifecycles import AccountStatus, ChallengeStatus
from domain.money import ZERO
from domain.orders import ActionResult, Fill, Order
from domain.positions import Position, Side
from domain.refusals import Refusals
from domain.terms import Policy


class Mode(StrEnum):
    AUDITION = "AUDITION"
    EVALUATION = "EVALUATION"
    FUNDED = "FUNDED"
    RACE = "RACE"


@dataclass(frozen=True)
class PhaseRun:
    """A phase while it runs on its account; every figure is of the account's currency."""

    id: int
    challenge_id: int
    index: int
    status: ChallengeStatus
    initial_balance: Decimal  # the group's deposit, moved by adjustments that count as no profit
    started_at: datetime
    day: int  # counted from 1, the starting day
    day_date: date  # the trading day's name
    day_ends_at: datetime
    day_start_balance: Decimal
    day_start_equity: Decimal
    day_low: Decimal  # equity
    day_high: Decimal
    peak_equity: Decimal  # highest since the start
    peak_balance: Decimal  # highest closed balance
    peak_end_of_day: Decimal  # highest of a day's ends, of the figure that the terms trail; or the initial balance
    day_withdrawn: Decimal = ZERO  # what left today without lowering the day's floor
    day_traded: bool = False  # it is by now what the terms call a trading day
    days_traded: int = 0  # this day included
    days_profitable: int = 0  # days that have ended
    best_day_profit: Decimal = ZERO  # of the days that have ended
    last_fill_day: int = 1  # the number of the last day with a fill; the starting day counts as one
    day_findings: frozenset[str] = frozenset()  # told today: rules that did not end the phase, and early warnings
    metric_due_at: datetime | None = None

    @property
    def running(self) -> bool:
        return self.status is ChallengeStatus.ACTIVE


Holdings = dict[tuple[str, Side], Position]
"""Open positions by symbol and side; never changed in place."""


@dataclass(frozen=True)
class Account:
    """cash + unrealised = equity; `seq` is the version, `head` the hash of the row that bears it."""

    id: int
    brand: str
    currency: str
    mode: Mode
    status: AccountStatus
    policy: Policy
    starting_balance: Decimal
    read_only: bool = False
    blocked_until: datetime | None = None
    locked_from: AccountStatus | None = None  # the status a lock was put on
    cash: Decimal = ZERO
    realised: Decimal = ZERO  # before fees
    fees: Decimal = ZERO
    unrealised: Decimal = ZERO
    high_watermark: Decimal = ZERO
    seq: int = 0
    head: bytes = GENESIS
    marked_through: int = 0
    marked_at: datetime | None = None  # market time of that batch
    ledger_due_at: datetime | None = None  # when the next mark_to_market row may be written
    positions: Holdings = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)  # the resting ones by seq; never changed in place
    phase: PhaseRun | None = None
    refusals: Refusals | None = None  # of actions, on the last day that had one

    @property
    def equity(self) -> Decimal:
        return self.cash + self.unrealised

    @property
    def balance(self) -> Decimal:
        return self.cash

    @property
    def live(self) -> bool:
        """Return whether the account is marked: its phase runs, or it has an open position or a working order."""
        return bool(self.positions or self.orders) or (self.phase is not None and self.phase.running)


@dataclass(frozen=True, slots=True)
class Day:
    """A trading day's snapshot; the open one is written too and closed at its end."""

    phase_id: int
    number: int
    date: date
    start_balance: Decimal
    start_equity: Decimal
    balance: Decimal
    equity: Decimal
    low: Decimal
    high: Decimal
    traded: bool
    ends_at: datetime
    closed: bool


@dataclass(frozen=True, slots=True)
class Metric:
    phase_id: int
    challenge_id: int
    account_id: int
    market_time: datetime
    batch: int
    balance: Decimal
    equity: Decimal
    day_start_balance: Decimal
    day_start_equity: Decimal
    day_low: Decimal
    day_high: Decimal
    peak_equity: Decimal


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's verdict with its evidence: all a third party needs to derive it again."""

    phase_id: int
    challenge_id: int
    account_id: int
    rule: str
    consequence: str
    day: int
    day_date: date
    market_time: datetime
    batch: int
    limit: Decimal  # the configured percentage, amount or count
    floor: Decimal  # the level it gives (a ceiling for profit rules, a count for day rules)
    observed: Decimal
    headroom: Decimal  # observed's distance to the level, negative beyond it
    derivation: Facts  # how the level was derived
    ledger_seq: int = 0
    ledger_hash: bytes = b""
    marks: tuple[Facts, ...] = ()  # the open positions with price, rate and the ages of both (holdings.Holding.facts)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of a phase, with the finding that ended it when it failed."""

    phase_id: int
    challenge_id: int
    account_id: int
    status: ChallengeStatus  # PASSED or FAILED
    rule: str
    market_time: datetime
    batch: int


@dataclass(slots=True)
class Journal:
    """The changes of one transaction, in order, ready to be written."""

    rows: list[Row] = field(default_factory=list)
    days: dict[tuple[int, int], Day] = field(default_factory=dict)  # by (phase, number), the last word counts
    metrics: list[Metric] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)  # early ones: of a share of a limit, and no breach
    verdicts: list[Verdict] = field(default_factory=list)
    liquidations: list[int] = field(default_factory=list)  # accounts outside a challenge that fell to their level
    positions: dict[tuple[int, int], Position] = field(default_factory=dict)  # by (account, seq), the last word
    orders: dict[tuple[int, int], Order] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    corrected: list[Fill] = field(default_factory=list)  # stored before, with another status, position or profit
    actions: list[ActionResult] = field(default_factory=list)

    def append(
        self,
        account: Account,
        kind: Kind,
        at: datetime,
        batch: int,
        facts: Facts,
        amount: Decimal = ZERO,
        **changes: Any,
    ) -> Account:
        """Write one ledger row and answer the account after it: cash, seq and head moved, `changes` applied."""
        return self.write(account, [(kind, facts, amount)], at, batch, **changes)

    def write(self, account: Account, entries: Iterable[Entry], at: datetime, batch: int, **changes: Any) -> Account:
        """Write ledger rows one after the other and answer the account after the last of them."""
        rows = follow(account.head, account.id, account.seq, account.cash, entries, at, batch)
        self.rows += rows
        last = rows[-1]
        return replace(account, seq=last.seq, cash=last.balance_after, head=last.hash, **changes)
