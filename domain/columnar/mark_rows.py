"""Marks to be written: accounts, metric snapshots and mark_to_market ledger rows, in columns for bulk statements."""

from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Self

import numpy as np
from numpy.typing import NDArray

from domain.columnar.fixed_point import UNIT, Flags, Ints
from domain.ledger import Kind
from domain.money import PLACES

Hashes = NDArray[np.uint8]
"""One sha256 per row, 32 bytes wide."""

WIDTH, POINT = 22, 13  # of the text of an amount
FOUR_DIGITS = np.frombuffer("".join(f"{n:04}" for n in range(10_000)).encode(), np.uint8).reshape(-1, 4)
TENS = np.array([10**n * UNIT for n in range(1, 11)], np.uint64)


@dataclass(frozen=True, slots=True)
class MetricRows:
    """Metric snapshots as columns of one length; amounts in units of 1e-8, times in microseconds since 1970."""

    phase_id: Ints
    challenge_id: Ints
    account_id: Ints
    market_time: Ints
    batch: Ints
    balance: Ints
    equity: Ints
    day_start_balance: Ints
    day_start_equity: Ints
    day_low: Ints
    day_high: Ints
    peak_equity: Ints

    def where(self, these: Flags) -> Self:
        return type(self)(*(getattr(self, field.name)[these] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class LedgerNotes:
    """mark_to_market ledger rows as columns of one length; `facts` is the JSON text that is hashed."""

    account_id: Ints
    seq: Ints
    balance: Ints
    market_time: Ints
    batch: Ints
    facts: list[str]
    hash: Hashes

    def where(self, these: Flags) -> Self:
        columns = (self.account_id, self.seq, self.balance, self.market_time, self.batch)
        facts = [self.facts[n] for n in np.flatnonzero(these).tolist()]
        one, seq, balance, at, batch = (column[these] for column in columns)
        return type(self)(one, seq, balance, at, batch, facts, self.hash[these])


@dataclass(frozen=True, slots=True)
class MarkRows:
    """Marked accounts as columns of one length; amounts in units of 1e-8, times in microseconds since 1970.

    A row may only be written while the account's version is `seq` and its `marked_through` is older; the version
    becomes `seq_after`, with the hash `head`. Where no phase runs `phase_id` and the phase's figures are 0.
    `metrics` and `notes` belong to these accounts and are written with them. `place` is the account's row in the shard.
    """

    place: Ints
    id: Ints
    seq: Ints
    seq_after: Ints
    head: Hashes
    marked_through: Ints
    marked_at: Ints
    unrealised: Ints
    equity: Ints
    high_watermark: Ints
    ledger_due_at: Ints  # account_rows.ALWAYS: no such row was written yet
    phase_id: Ints
    day_low: Ints
    day_high: Ints
    peak_equity: Ints
    metric_due_at: Ints  # account_rows.NEVER: no phase runs
    metrics: MetricRows
    notes: LedgerNotes

    def __len__(self) -> int:
        return len(self.id)


def note(
    head: Hashes, account: Ints, seq: Ints, cash: Ints, unrealised: Ints, high: Ints, at: Ints, batch: Ints
) -> LedgerNotes:
    """Return the ledger rows that follow the heads, as `fold.catch_up` would write them.

    The text of each row is built directly from integers, because a hundred thousand rows may fall due at once.
    """
    profits, equities, highs = (plain_texts(column) for column in (unrealised, cash + unrealised, high))
    facts = [
        f'{{"cause":"cadence","equity":"{equity}","high_watermark":"{highest}","unrealised":"{profit}"}}'
        for equity, highest, profit in zip(equities, highs, profits, strict=True)
    ]
    heads, kind = head.tobytes(), Kind.MARK_TO_MARKET.value
    figures = zip(account.tolist(), seq.tolist(), eight_places(cash), at.tolist(), batch.tolist(), facts, strict=True)
    hashes = [
        sha256(
            heads[32 * n : 32 * n + 32]
            + f"{one}\n{version}\n{kind}\n0.00000000\n{balance}\n{time}\n{through}\n{fact}".encode()
        ).digest()
        for n, (one, version, balance, time, through, fact) in enumerate(figures)
    ]
    return LedgerNotes(account, seq, cash, at, batch, facts, digests(hashes))


def digests(hashes: list[bytes]) -> Hashes:
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32)


def eight_places(column: Ints) -> list[str]:
    """Return every amount with eight decimal places, as in the hashed text of a ledger row."""
    return _texts(column, np.full(len(column), WIDTH, np.int64))


def plain_texts(column: Ints) -> list[str]:
    """Return every amount without trailing zeros, as `money.plain` does for one."""
    zeros = sum((column % 10**places == 0).astype(np.int64) for places in range(1, PLACES + 1))
    return _texts(column, WIDTH - zeros - (zeros == PLACES))


def _texts(column: Ints, end: Ints) -> list[str]:
    """Return the amounts as decimal text, each cut at its `end`: a sign, twelve digits, the point, eight digits."""
    chars = np.full((len(column), WIDTH), ord("0"), np.uint8)
    chars[:, POINT] = ord(".")
    rest = np.abs(column).view(np.uint64)
    for first in (18, 14, 9, 5, 1):
        higher = rest // np.uint64(10_000)
        chars[:, first : first + 4] = FOUR_DIGITS[rest - higher * np.uint64(10_000)]
        rest = higher
    digits = np.searchsorted(TENS, np.abs(column).view(np.uint64), side="right")  # before the point, less one
    begin = POINT - 1 - digits
    negative = np.flatnonzero(column < 0)
    begin[negative] -= 1
    chars[negative, begin[negative]] = ord("-")
    text, rows = chars.tobytes().decode("ascii"), np.arange(len(column)) * WIDTH
    return [text[a:b] for a, b in zip((rows + begin).tolist(), (rows + end).tolist(), strict=True)]
