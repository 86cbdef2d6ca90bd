"""What the book writes: marked accounts, metric snapshots and mark_to_market rows, in columns for bulk statements."""

from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Self

import numpy as np
from numpy.typing import NDArray

from domain.columns import UNIT, Flags, Ints
from domain.ledger import Kind

Hashes = NDArray[np.uint8]
"""One sha256 a row, 32 bytes wide."""


@dataclass(frozen=True, slots=True)
class Metrics:
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
class Notes:
    """mark_to_market rows as columns of one length, with `facts` as they are hashed."""

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
class Marks:
    """Marked accounts as columns of one length; amounts in units of 1e-8, times in microseconds since 1970.

    A row may only be written while the account's version is `seq` and its `marked_through` is older; the version
    becomes `seq_after`, with the hash `head`. Where no phase runs `phase_id` and the phase's figures are 0.
    `metrics` and `notes` are of these accounts, and written with them. `place` is where the book keeps the account.
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
    ledger_due_at: Ints  # rows.ALWAYS: there was no such row yet
    phase_id: Ints
    day_low: Ints
    day_high: Ints
    peak_equity: Ints
    metric_due_at: Ints  # rows.NEVER: there is none
    metrics: Metrics
    notes: Notes

    def __len__(self) -> int:
        return len(self.id)


def note(
    head: Hashes, account: Ints, seq: Ints, cash: Ints, unrealised: Ints, high: Ints, at: Ints, batch: Ints
) -> Notes:
    """The rows that follow the heads, as desk.catch_up writes them when they fall due: the text of each is built
    straight from its units, for a hundred thousand of them come at once.
    """
    opened, equities, highs = (plain_texts(column) for column in (unrealised, cash + unrealised, high))
    facts = [
        f'{{"cause":"cadence","equity":"{equity}","high_watermark":"{highest}","unrealised":"{profit}"}}'
        for equity, highest, profit in zip(equities, highs, opened, strict=True)
    ]
    heads, kind, whole = head.tobytes(), Kind.MARK_TO_MARKET.value, cash.tolist()
    figures = zip(account.tolist(), seq.tolist(), whole, at.tolist(), batch.tolist(), facts, strict=True)
    hashes = [
        sha256(
            heads[32 * n : 32 * n + 32]
            + f"{one}\n{version}\n{kind}\n0.00000000\n{eight_places(balance)}\n{time}\n{through}\n{fact}".encode()
        ).digest()
        for n, (one, version, balance, time, through, fact) in enumerate(figures)
    ]
    return Notes(account, seq, cash, at, batch, facts, digests(hashes))


def digests(hashes: list[bytes]) -> Hashes:
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32)


def eight_places(whole: int) -> str:
    """The amount with all of its places, as a ledger row is hashed."""
    return f"{'-' if whole < 0 else ''}{abs(whole) // UNIT}.{abs(whole) % UNIT:08d}"


def plain_texts(column: Ints) -> list[str]:
    """money.plain of every amount."""
    return [eight_places(whole).rstrip("0").rstrip(".") for whole in column.tolist()]
