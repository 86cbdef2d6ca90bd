"""Terms as sold: the program's phases and each group's policy, frozen at the sale under a version and a hash.

Percentages are the source's: 5 means 5 %. A limit of 0, or None, is not configured.
"""

import hashlib
import json
from dataclasses import Field, dataclass, field, fields, is_dataclass
from datetime import time, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from functools import lru_cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from domain.frozen import cached
from domain.money import ZERO, plain

TERMS_VERSION = 1


LATER = {"later": True}
"""Marks a field that terms of the first edition lack: at its default it is left out of the canonical text, so that the
hash of terms that do not use it stays as it was.
"""


class GroupKind(StrEnum):
    DEMO = "DEMO"
    REAL = "REAL"


class PhaseType(IntEnum):
    EVALUATION = 0
    FUNDED = 1


class Slippage(StrEnum):
    MID_PRICE = "MID_PRICE"
    BID_ASK = "BID_ASK"


class Reference(StrEnum):
    """A figure of a day's start that a daily limit counts from, or of a day's end that a trailing floor follows."""

    BALANCE = "BALANCE"
    EQUITY = "EQUITY"
    HIGHER = "HIGHER"


class PercentOf(StrEnum):
    INITIAL = "INITIAL"
    REFERENCE = "REFERENCE"
    DAY_START_BALANCE = "DAY_START_BALANCE"  # of daily limits


class Measured(StrEnum):
    EQUITY = "EQUITY"
    BALANCE = "BALANCE"
    LOWER = "LOWER"


class Trail(StrEnum):
    STATIC = "STATIC"
    TRAIL_INTRADAY = "TRAIL_INTRADAY"
    TRAIL_BALANCE = "TRAIL_BALANCE"
    TRAIL_END_OF_DAY = "TRAIL_END_OF_DAY"


class TradingDay(StrEnum):
    """The rule by which a day counts as a trading day."""

    OPENED = "OPENED"  # a position was opened or increased
    FILL = "FILL"  # anything was filled
    MOVED = "MOVED"  # the closed result is at least a share of the initial balance, as a gain or as a loss


class Touch(StrEnum):
    """Whether reaching the limit is already a breach."""

    BEYOND = "BEYOND"
    REACHED = "REACHED"


class Consequence(StrEnum):
    FAIL = "FAIL"
    PAUSE_DAY = "PAUSE_DAY"
    CLOSE_DAY = "CLOSE_DAY"
    WARN = "WARN"

    @property
    def blocks(self) -> bool:
        """Return whether opening is forbidden until the next day."""
        return self in (Consequence.PAUSE_DAY, Consequence.CLOSE_DAY)


class Enforcement(StrEnum):
    """The place at which the maximum of open positions is enforced."""

    GATE = "GATE"  # an order beyond it is refused
    BREACH = "BREACH"  # a position beyond it is a breach


@dataclass(frozen=True, slots=True)
class PositionsLimit:
    """The maximum of open positions of a phase, and its enforcement."""

    enforced: Enforcement = Enforcement.GATE
    consequence: Consequence = Consequence.FAIL  # of a breach


class PayoutFloor(StrEnum):
    """The effect of a payout on a trailing floor of total loss."""

    FOLLOW = "FOLLOW"  # the highs move with the money, and so does the floor
    KEEP = "KEEP"  # the highs stay, and so does the floor
    RESET = "RESET"  # once approved, the floor trails anew from the balance that is left


@dataclass(frozen=True)
class Policy:
    """Execution policy of an account; amounts in the account's currency."""

    leverage_max: Decimal = Decimal(5)
    notional_max: Decimal = Decimal(50_000)  # of one position
    positions_max: int = 5
    orders_max: int = 10
    long_allowed: bool = True
    short_allowed: bool = True
    symbols: tuple[str, ...] = ()  # empty: every instrument
    fee_bps: Decimal = Decimal(10)
    slippage: Slippage = Slippage.MID_PRICE
    quote_age_seconds_max: int = 60
    position_equity_pct_max: Decimal = Decimal(50)
    liquidation_pct: Decimal = Decimal(50)  # of the starting balance; at or below it the account is liquidated

    @cached
    def quote_age_max(self) -> timedelta:
        """The maximum age of a quote for dealing."""
        return timedelta(seconds=self.quote_age_seconds_max)

    @cached
    def liquidation(self) -> "Limit":
        """Return the policy's own limit of loss."""
        return Limit(pct=self.liquidation_pct, percent_of=PercentOf.INITIAL, touch=Touch.REACHED)


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    kind: GroupKind
    currency: str
    deposit: Decimal
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class Limit:
    """A loss or profit limit and what its percentage means (design, section 6)."""

    pct: Decimal = ZERO
    amount: Decimal | None = None  # instead of a percentage
    reference: Reference = Reference.EQUITY
    percent_of: PercentOf = PercentOf.REFERENCE
    measured: Measured = Measured.EQUITY
    trail: Trail = Trail.STATIC
    trail_by: Reference = field(default=Reference.BALANCE, metadata=LATER)  # of a day's end, for TRAIL_END_OF_DAY
    lock_at: Decimal | None = None  # a trailing floor stops once it reaches initial + lock_at
    touch: Touch = Touch.BEYOND
    consequence: Consequence = Consequence.FAIL

    @property
    def configured(self) -> bool:
        return self.amount is not None or self.pct > 0


@dataclass(frozen=True, slots=True)
class PayoutTerms:
    """The payout schedule of a funded phase: days of the program's calendar since its start or last payout."""

    min_profit: Decimal = ZERO  # gross, in the account's currency
    min_trading_days: int = 0
    profitable_days: int = 0  # with a profit above the phase's `profitable_day_pct`
    cycle_days: int = 0  # of waiting
    floor: PayoutFloor = PayoutFloor.FOLLOW
    min_amount: Decimal = field(default=ZERO, metadata=LATER)  # of one payout: the gross profit that leaves
    min_buffer: Decimal = field(default=ZERO, metadata=LATER)  # of profit that stays on the account
    fee_back: bool = field(default=False, metadata=LATER)  # the purchase's fee comes back with the first payout


@dataclass(frozen=True, slots=True)
class PhaseTerms:
    """One phase as sold; days are trading days of the program's calendar, 0 = not configured."""

    index: int
    type: PhaseType
    name: str
    group: Group
    daily_loss: Limit = field(default_factory=Limit)
    total_loss: Limit = field(default_factory=lambda: Limit(percent_of=PercentOf.INITIAL))
    daily_profit: Limit = field(default_factory=Limit)
    profit_target: Limit = field(
        default_factory=lambda: Limit(percent_of=PercentOf.INITIAL, measured=Measured.LOWER, touch=Touch.REACHED)
    )
    profit_split: Decimal = ZERO
    duration_days: int = 0
    min_trading_days: int = 0
    max_trading_days: int = 0
    max_positions: int = 0
    positions: PositionsLimit = field(default=PositionsLimit(), metadata=LATER)
    best_day_pct: Decimal = ZERO  # the largest day's share of the net profit, at most
    profitable_days: int = 0
    profitable_day_pct: Decimal = ZERO  # of the initial balance; a day above it counts
    inactivity_days: int = 0
    trading_day: TradingDay = field(default=TradingDay.FILL, metadata=LATER)
    trading_day_pct: Decimal = field(default=ZERO, metadata=LATER)  # of the initial balance, for MOVED
    warn_at: tuple[Decimal, ...] = ()  # shares of each limit, above 0 and below 1, at which its use is told
    payout: PayoutTerms = field(default_factory=PayoutTerms)  # of a funded phase


@dataclass(frozen=True, slots=True)
class Terms:
    program_id: int
    program_version: int
    name: str
    price: Decimal
    price_currency: str
    zone: str
    day_start: time
    phases: tuple[PhaseTerms, ...]
    version: int = TERMS_VERSION

    def phase(self, index: int) -> PhaseTerms:
        """Return the phase with the source's index, counted from 1."""
        return self.phases[index - 1]


def _is_idle(declared: "Field[Any]", value: Any) -> bool:
    """Return whether the value is the default of a field that terms of the first version lack."""
    return declared.metadata == LATER and bool(value == declared.default)


def _encode(value: Any, *, whole: bool = True) -> Any:
    """Plain data of the value; unless `whole` without what terms of the first edition cannot say."""
    if is_dataclass(value):
        named = ((declared, getattr(value, declared.name)) for declared in fields(value))
        return {f.name: _encode(item, whole=whole) for f, item in named if whole or not _is_idle(f, item)}
    if isinstance(value, tuple):
        return [_encode(item, whole=whole) for item in value]
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, time):
        return value.isoformat()
    return value


def _decode(kind: Any, value: Any) -> Any:
    if get_origin(kind) in (Union, UnionType):
        return None if value is None else _decode(next(a for a in get_args(kind) if a is not type(None)), value)
    if get_origin(kind) is tuple:
        return tuple(_decode(get_args(kind)[0], item) for item in value)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        if unknown := value.keys() - hints.keys():
            raise ValueError(f"{kind.__name__} has no field {', '.join(sorted(unknown))}: a newer version wrote it")
        return kind(**{name: _decode(hints[name], item) for name, item in value.items()})
    if kind is time:
        return time.fromisoformat(value)
    if kind is Decimal:
        return Decimal(value)
    return kind(value)


def to_text(value: Terms | Policy) -> str:
    """Return the canonical text: sorted keys, no spaces; the same terms give the same bytes."""
    return json.dumps(_encode(value, whole=False), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def limit_facts(limit: Limit) -> dict[str, str | None]:
    """Return every axis of a limit as text, those at their default included."""
    facts: dict[str, str | None] = _encode(limit)
    return facts


def policy_facts(policy: Policy) -> dict[str, Any]:
    """Return every field of a policy as JSON, those at their default included."""
    facts: dict[str, Any] = _encode(policy)
    return facts


@lru_cache(maxsize=4096)
def terms_from_text(text: str) -> Terms:
    """Terms from their canonical text."""
    terms: Terms = _decode(Terms, json.loads(text))
    return terms


@lru_cache(maxsize=4096)
def policy_from_text(text: str) -> Policy:
    """Return a policy from its canonical text; fields left out take their defaults."""
    policy: Policy = _decode(Policy, json.loads(text))
    return policy


def limit_from_data(data: dict[str, Any], default: Limit) -> Limit:
    """Return a limit whose missing axes take those of `default`."""
    limit: Limit = _decode(Limit, {**_encode(default), **data})
    return limit


def fingerprint(text: str) -> str:
    """Hex sha256 of the canonical text."""
    return hashlib.sha256(text.encode()).hexdigest()
