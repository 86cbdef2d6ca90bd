"""The columnar twin of `desk.catch_up`: every live account repriced together, in int64 units of 1e-8.

An account that needs nothing but a mark is moved in columns; one that may need more is handed over and left as it
was, for `catch_up` to move it under its lock. What the book moves, it moves to the last digit as `catch_up` would.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from domain import days
from domain.accounts import Account
from domain.columns import Flags, Ints, amount, units
from domain.judging import Conditions
from domain.lanes import Lane, holding_figures
from domain.ledger import EPOCH, MICROSECOND, Kind, Row, follow, microseconds
from domain.marks import Marks, Metrics
from domain.money import ZERO
from domain.positions import Position, Side
from domain.quotes import Batch, Market
from domain.rows import ALWAYS, NEVER, Rows, figures_of, time_of, unheld
from domain.terms import Slippage
from domain.valuation import position_unrealised

MINUTE = 60_000_000  # microseconds


@dataclass(frozen=True, slots=True)
class Repriced:
    """What the quotes of a batch would change, by row and by lane; nothing of it is kept yet."""

    opened: Ints
    touched: Flags
    lanes: list[tuple[Lane, Ints]]


class Book:
    """The live accounts of one shard, each as of its own batch.

    For each new batch: `mark` it, and let `catch_up` move the accounts handed over; write the `marks` of those `due`
    before the next batch, of those `dirty` when it suits, and say what was `written`; `put` again whatever was
    changed elsewhere, and every account when an instrument was. An account brought beyond the batch is passed over
    until the batches have come up to it.
    """

    def __init__(self, mark_ledger_interval: timedelta) -> None:
        self._interval = mark_ledger_interval
        self._rows = Rows.empty(0)
        self._heads: list[bytes] = []
        self._free: list[int] = []
        self._places: dict[int, int] = {}
        self._lanes: dict[str, dict[tuple[Side, Slippage], Lane]] = {}
        self._watchers: dict[str, set[int]] = {}  # by symbol: the rows handed over whenever it moves
        self._seats: dict[int, tuple[tuple[Lane, ...], frozenset[str]]] = {}  # by row: its lanes, what it watches

    def __len__(self) -> int:
        return len(self._places)

    def ids(self) -> list[int]:
        return list(self._places)

    def seqs(self) -> dict[int, int]:
        """By account: the version it was put or written with."""
        return dict(zip(self._places, self._rows.seq[self._at(self._places)].tolist(), strict=True))

    def put(self, account: Account, conditions: Conditions, market: Market) -> None:
        """Add or replace an account as of its `marked_through`, `market` being the newest quotes as of then.

        One that is not live is dropped; one whose figures cannot be held is handed over at every batch.
        """
        self.drop(account.id)
        if not account.live:
            return
        if not self._free:
            self._grow()
        row = self._places[account.id] = self._free.pop()
        self._heads[row] = account.head
        try:
            self._seat(row, account, conditions, market)
        except ValueError:
            self._seats[row] = (), frozenset()
            self._rows.set(row, **unheld(account))

    def drop(self, account_id: int) -> None:
        """Forget the account, if it is here."""
        row = self._places.pop(account_id, None)
        if row is None:
            return
        lanes, watched = self._seats.pop(row)
        for lane in lanes:
            lane.drop(row)
        for symbol in watched:
            self._watchers[symbol].discard(row)
        self._vacate(row)

    def _vacate(self, row: int) -> None:
        """Free the place: no batch reaches it, and nothing of it is due or dirty."""
        self._rows.set(row, through=NEVER, metric_due_at=NEVER, holds=False, fresh=False, dirty=False)
        self._free.append(row)

    def _grow(self) -> None:
        length = len(self._heads)
        self._rows.grow(max(1024, 2 * length))
        self._heads += [b""] * (len(self._rows.id) - length)
        for row in range(length, len(self._heads)):
            self._vacate(row)

    def _seat(self, row: int, account: Account, conditions: Conditions, market: Market) -> None:
        """Set the row's figures and put its holdings into lanes. Raises ValueError before it does anything."""
        catalogue, held = conditions.catalogue, account.positions.values()
        profits = [position_unrealised(position, account, market, catalogue) for position in held]
        figures = figures_of(account, sum(profits, ZERO), conditions.terms)
        lanes: list[Lane] = []
        watched: set[str] = set()
        for position, profit in zip(held, [units(profit) for profit in profits], strict=True):
            source = catalogue.instruments[position.symbol].quote_currency
            at_par = catalogue.par(source) == catalogue.par(account.currency)
            if at_par and (fixed := _fixed(position, len(held))):
                lanes.append(self._lane(position.symbol, position.side, account.policy.slippage))
                lanes[-1].put(row, profit=profit, **fixed)
                continue
            pair = catalogue.pair(source, account.currency)
            watched |= {position.symbol, pair[0]} if pair else {position.symbol}
        for symbol in watched:
            self._watchers.setdefault(symbol, set()).add(row)
        self._seats[row] = tuple(lanes), frozenset(watched)
        self._rows.set(row, **figures)

    def _lane(self, symbol: str, side: Side, slippage: Slippage) -> Lane:
        lanes = self._lanes.setdefault(symbol, {})
        if (side, slippage) not in lanes:
            lanes[side, slippage] = Lane(side, slippage)
        return lanes[side, slippage]

    def mark(self, batch: Batch) -> list[int]:
        """Move every account the batch is new to; answers the ids, sorted, of those left for `catch_up` instead.

        Left are accounts whose day ends, whose equity reaches a threshold, that work orders or cannot be held in
        columns; and those that missed a batch, or the writing of what was due.
        """
        rows, at = self._rows, microseconds(batch.market_time)
        behind = rows.through < batch.number
        missed = (rows.through < batch.number - 1) | self._is_due()
        handed = missed | rows.by_hand | (rows.day_ends_at <= at)
        repriced = self._reprice(batch, handed)
        seen = np.flatnonzero(behind & ~handed & (repriced.touched | rows.fresh))
        touched = repriced.touched[seen]
        unrealised = np.where(touched, repriced.opened[seen], rows.unrealised[seen])
        safe = self._is_safe(seen, rows.cash[seen] + unrealised, touched)
        handed[seen[~safe]] = True
        moved = behind & ~handed
        for lane, changes in repriced.lanes:
            lane.settle(changes, moved)
        self._observe(seen[safe & touched], unrealised[safe & touched])
        rows.through[moved] = batch.number
        rows.marked_at[moved] = at
        rows.fresh[moved] = False
        return sorted(rows.id[behind & handed].tolist())

    def _reprice(self, batch: Batch, handed: Flags) -> Repriced:
        """Reprice what the batch's quotes move; flags in `handed` whom the columns cannot follow."""
        opened, touched = self._rows.opened.copy(), np.zeros(len(handed), np.bool_)
        lanes: list[tuple[Lane, Ints]] = []
        for quote in batch.quotes:
            handed[list(self._watchers.get(quote.symbol, ()))] = True
            for lane in self._lanes.get(quote.symbol, {}).values():
                at, changes, beyond = lane.reprice(quote)
                handed[at[beyond]] = True
                opened[at] += changes
                touched[at] = True
                lanes.append((lane, changes))
        return Repriced(opened, touched, lanes)

    def _is_safe(self, at: Ints, equity: Ints, observed: Flags) -> Flags:
        """Is no verdict possible at this equity? What raises a peak when it is observed may move a floor."""
        rows = self._rows
        peaks = (rows.new_peak[at] & (equity > rows.peak_equity[at])) | (rows.cash[at] > rows.peak_balance[at])
        safe: Flags = (rows.low[at] < equity) & (equity < rows.high[at]) & ~(peaks & observed)
        return safe

    def _observe(self, at: Ints, unrealised: Ints) -> None:
        """Move the rows' marks, highs and lows."""
        rows = self._rows
        equity = rows.cash[at] + unrealised
        changed = (unrealised != rows.unrealised[at]) | (equity < rows.day_low[at])
        rows.unrealised[at] = rows.opened[at] = unrealised
        rows.day_low[at] = np.minimum(rows.day_low[at], equity)
        for highs in (rows.high_watermark, rows.day_high, rows.peak_equity):
            changed |= equity > highs[at]
            highs[at] = np.maximum(highs[at], equity)
        rows.dirty[at[changed]] = True

    def _is_measurable(self) -> Flags:
        return ~self._rows.fresh & (self._rows.marked_at >= self._rows.metric_due_at)

    def _is_notable(self) -> Flags:
        return ~self._rows.fresh & self._rows.holds & (self._rows.marked_at >= self._rows.ledger_due_at)

    def _is_due(self) -> Flags:
        return self._is_measurable() | self._is_notable()

    def due(self) -> list[int]:
        """Accounts whose metric or mark_to_market row is due at their mark: to be written before the next batch."""
        due: list[int] = np.sort(self._rows.id[self._is_due()]).tolist()
        return due

    def dirty(self) -> list[int]:
        """Accounts of which a figure has moved since they were put or written."""
        dirty: list[int] = np.sort(self._rows.id[self._rows.dirty]).tolist()
        return dirty

    def _at(self, ids: Iterable[int]) -> Ints:
        """The places of those accounts that are here."""
        places = [self._places.get(one, -1) for one in ids]
        found = np.array(places, np.int64)
        return found[found >= 0]

    def marks(self, ids: Iterable[int]) -> Marks:
        """What is to be written of the accounts; of those not marked since they were put there is nothing."""
        rows, at = self._rows, self._at(ids)
        at = at[~rows.fresh[at]]
        marked_at, heads = rows.marked_at[at], [self._heads[row] for row in at.tolist()]
        noted, measured, runs = self._is_notable()[at], self._is_measurable()[at], rows.phase_id[at] != 0
        notes = self._note(at[noted])
        for n, note in zip(np.flatnonzero(noted).tolist(), notes, strict=True):
            heads[n] = note.hash
        ledger_due = np.where(noted, marked_at + self._interval // MICROSECOND, rows.ledger_due_at[at])
        metric_due = np.where(measured, marked_at // MINUTE * MINUTE + MINUTE, rows.metric_due_at[at])
        return Marks(
            id=rows.id[at].tolist(),
            seq=rows.seq[at].tolist(),
            seq_after=(rows.seq[at] + noted).tolist(),
            head=heads,
            marked_through=rows.through[at].tolist(),
            marked_at=_instants(marked_at),
            unrealised=rows.unrealised[at].tolist(),
            equity=(rows.cash[at] + rows.unrealised[at]).tolist(),
            high_watermark=rows.high_watermark[at].tolist(),
            ledger_due_at=_dues(ledger_due),
            phase_id=rows.phase_id[at].tolist(),
            day_low=(rows.day_low[at] * runs).tolist(),
            day_high=(rows.day_high[at] * runs).tolist(),
            peak_equity=(rows.peak_equity[at] * runs).tolist(),
            metric_due_at=_dues(metric_due),
            metrics=self._measure(at[measured]),
            rows=notes,
        )

    def _note(self, at: Ints) -> list[Row]:
        """The mark_to_market rows of the accounts, as desk.catch_up writes them when they fall due."""
        rows, notes = self._rows, []
        names = [self._heads[row] for row in at.tolist()], rows.id[at].tolist(), (rows.seq[at] + 1).tolist()
        marks = _instants(rows.marked_at[at]), rows.through[at].tolist()
        figures = (_amounts(column[at]) for column in (rows.cash, rows.unrealised, rows.high_watermark))
        for head, account, seq, moment, batch, cash, unrealised, high in zip(*names, *marks, *figures, strict=True):
            facts = days.mark_of("cadence", unrealised, cash + unrealised, high)
            notes.append(follow(head, account, seq, Kind.MARK_TO_MARKET, ZERO, cash, moment, batch, facts))
        return notes

    def _measure(self, at: Ints) -> Metrics:
        """The metric snapshots of the rows, as days.measure takes them."""
        rows = self._rows
        return Metrics(
            phase_id=rows.phase_id[at].tolist(),
            challenge_id=rows.challenge_id[at].tolist(),
            account_id=rows.id[at].tolist(),
            market_time=_instants(rows.marked_at[at]),
            batch=rows.through[at].tolist(),
            balance=rows.cash[at].tolist(),
            equity=(rows.cash[at] + rows.unrealised[at]).tolist(),
            day_start_balance=rows.day_start_balance[at].tolist(),
            day_start_equity=rows.day_start_equity[at].tolist(),
            day_low=rows.day_low[at].tolist(),
            day_high=rows.day_high[at].tolist(),
            peak_equity=rows.peak_equity[at].tolist(),
        )

    def written(self, marks: Marks, ids: Iterable[int]) -> None:
        """The database took the marks of these accounts; one put anew since they were computed is left alone."""
        rows, taken = self._rows, set(ids)
        n = np.array([n for n, one in enumerate(marks.id) if one in taken and one in self._places], np.int64)
        at = self._at(one for one in marks.id if one in taken)
        same = (rows.seq[at] == np.array(marks.seq, np.int64)[n]) & ~rows.fresh[at]
        n, at = n[same], at[same]
        for one, row in zip(n.tolist(), at.tolist(), strict=True):
            self._heads[row] = marks.head[one]
        rows.seq[at] = np.array(marks.seq_after, np.int64)[n]
        rows.metric_due_at[at] = _times(marks.metric_due_at, NEVER)[n]
        rows.ledger_due_at[at] = _times(marks.ledger_due_at, ALWAYS)[n]
        rows.dirty[at] &= rows.through[at] != np.array(marks.marked_through, np.int64)[n]


def _fixed(position: Position, count: int) -> dict[str, int] | None:
    """The figures of a holding that can be held in columns."""
    try:
        return holding_figures(position, count)
    except ValueError:
        return None


def _amounts(column: Ints) -> list[Decimal]:
    return [amount(whole) for whole in column.tolist()]


def _instants(times: Ints) -> list[datetime]:
    listed = times.tolist()
    known = {time: EPOCH + time * MICROSECOND for time in set(listed)}
    return [known[time] for time in listed]


def _dues(times: Ints) -> list[datetime | None]:
    listed = times.tolist()
    known = {time: None if time in (ALWAYS, NEVER) else EPOCH + time * MICROSECOND for time in set(listed)}
    return [known[time] for time in listed]


def _times(dues: list[datetime | None], none: int) -> Ints:
    known = {due: time_of(due, none) for due in set(dues)}
    return np.array([known[due] for due in dues], np.int64)
