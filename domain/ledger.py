"""The account's append-only history: dense seq, cash amount, balance after, and a chain of sha256.

The hashed bytes of a row are the previous row's hash (32 zero bytes before the first), then, in UTF-8, joined by
newlines: account, seq, kind, amount and balance with eight places, market time in microseconds since 1970 (UTC),
batch, and the facts as JSON with sorted keys and no spaces.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple, TypeAlias

import orjson

GENESIS = bytes(32)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NOTHING = "0.00000000"

Facts = dict[str, Any]
"""JSON scalars only: text, whole numbers, booleans, null. Decimals are text."""


class Kind(StrEnum):
    ACCOUNT_CREATED = "account_created"
    DEPOSIT = "deposit"
    ACCOUNT_STARTED = "account_started"
    ACTION_ACCEPTED = "action_accepted"
    ACTION_REJECTED = "action_rejected"
    ORDER_PLACED = "order_placed"
    ORDER_CANCELLED = "order_cancelled"
    ORDER_REJECTED = "order_rejected"  # triggered, and stopped at a gate
    FILL = "fill"
    POSITION_OPENED = "position_opened"
    POSITION_CHANGED = "position_changed"
    POSITION_CLOSED = "position_closed"
    MARK_TO_MARKET = "mark_to_market"
    FINDING = "finding"
    WARNING = "warning"
    PHASE_PASSED = "phase_passed"
    PHASE_FAILED = "phase_failed"
    MARK_FAILED = "mark_failed"
    ACCOUNT_COMPLETED = "account_completed"
    ACCOUNT_LIQUIDATED = "account_liquidated"
    ACCOUNT_PAUSED = "account_paused"
    ACCOUNT_RESUMED = "account_resumed"
    ACCOUNT_LOCKED = "account_locked"
    ACCOUNT_UNLOCKED = "account_unlocked"
    ACCOUNT_CLOSING = "account_closing"  # by hand: read-only, and what it holds is closed before it ends
    CORRECTION = "correction"  # the replay of the fills that remain, less what was booked
    PAYOUT = "payout"
    ADJUSTMENT = "adjustment"  # booked by hand


class Row(NamedTuple):
    account: int
    seq: int
    kind: Kind
    amount: Decimal
    balance_after: Decimal
    market_time: datetime
    batch: int
    facts: Facts
    hash: bytes
    text: str  # the facts as they are hashed and stored


Entry: TypeAlias = tuple[Kind, Facts, Decimal]
"""What a row is to say, and the cash it moves."""

_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def canonical(facts: Facts) -> str:
    """Return the facts as JSON with sorted keys and no spaces."""
    try:
        return orjson.dumps(facts, option=_SORTED).decode()
    except TypeError:  # a number beyond 64 bits
        return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@lru_cache(maxsize=1024)
def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970, exact."""
    return (moment - EPOCH) // MICROSECOND


def _eight_places(amount: Decimal) -> str:
    """Zero has no sign: the database keeps none, and a chain checked from it must agree."""
    if not amount:
        return NOTHING
    text = f"{amount:.8f}"
    return NOTHING if text == "-0.00000000" else text


def _link(head: bytes, *parts: str) -> bytes:
    return sha256(head + "\n".join(parts).encode()).digest()


def chain(
    head: bytes,
    account: int,
    seq: int,
    kind: str,
    amount: Decimal,
    balance_after: Decimal,
    market_time: datetime,
    batch: int,
    facts: Facts,
) -> bytes:
    """Return the hash of a row that follows the row whose hash is `head`."""
    moved, balance = _eight_places(amount), _eight_places(balance_after)
    at = str(microseconds(market_time))
    return _link(head, str(account), str(seq), kind, moved, balance, at, str(batch), canonical(facts))


def follow(
    head: bytes, account: int, seq: int, balance: Decimal, entries: Iterable[Entry], market_time: datetime, batch: int
) -> list[Row]:
    """Return the rows of the entries, one after the other behind the one whose hash is `head`."""
    rows: list[Row] = []
    name, at, number = str(account), str(microseconds(market_time)), str(batch)
    balance_text = _eight_places(balance)
    for kind, facts, amount in entries:
        seq, moved = seq + 1, NOTHING
        if amount:
            balance += amount
            moved, balance_text = _eight_places(amount), _eight_places(balance)
        text = canonical(facts)
        head = _link(head, name, str(seq), kind, moved, balance_text, at, number, text)
        rows.append(Row(account, seq, kind, amount, balance, market_time, batch, facts, head, text))
    return rows
