"""The live accounts of one shard in columns: a batch of quotes marks all of them at once.

An account that needs only a mark is updated in columns, to the last digit as `fold.catch_up` would. An account that may
need more (a verdict, a fill, a new day) stays unchanged and is handed over: `catch_up` folds it under its row lock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from domain.accounts import Account
from domain.columnar.account_rows import NEVER, AccountRows, figures_of, figures_without_positions
from domain.columnar.bulk_load import StoredShard, load_shard
from domain.columnar.fixed_point import Flags, Ints, units
from domain.columnar.limit_screen import accounts_to_judge
from domain.columnar.mark_rows import Hashes, LedgerNotes, MarkRows, MetricRows, note
from domain.columnar.order_triggers import TriggerIndex, TriggerPrice, trigger_price
from domain.columnar.position_groups import PositionGroup, SlotTable, position_figures
from domain.instruments import Catalogue
from domain.ledger import MICROSECOND, microseconds
from domain.money import ZERO
from domain.positions import Position, Side
from domain.quotes import Batch, Market, Quote
from domain.terms import Slippage
from domain.valuation import position_unrealised, symbols_of
from domain.verdicts import Conditions

MINUTE = 60_000_000  # microseconds


@dataclass(frozen=True, slots=True)
class RepricedAccounts:
    """The changes that a batch of quotes would make, by row and by group, before they are applied."""

    open_profit: Ints
    touched: Flags
    groups: list[tuple[PositionGroup, Ints]]


class AccountShard:
    """The live accounts of one shard, each as of the batch it was last marked at.

    The caller, for each new batch: `mark`s it and folds the accounts handed over; writes the `marks` of `due` accounts
    before the next batch and those of `dirty` accounts at any later time, and reports them as `written`; `put`s every
    account again that another transaction changed, and all accounts when an instrument changed. An account that is
    ahead of the batch is skipped until the batches reach it.
    """

    def __init__(self, mark_ledger_interval: timedelta, catalogue: Catalogue, market: Market) -> None:
        """`market` has the newest quotes as of the batch before the first one to be marked."""
        self._interval, self._catalogue = mark_ledger_interval // MICROSECOND, catalogue
        self._market: dict[str, Quote] = dict(market)
        self._rows = AccountRows.empty(0)
        self._heads: Hashes = np.zeros((0, 32), np.uint8)
        self._free: list[int] = []
        self._places: dict[int, int] = {}
        self._lanes: dict[tuple[str, Side, Slippage, str], PositionGroup] = {}
        self._moved_by: dict[str, list[PositionGroup]] = {}  # by symbol: its own groups, and those it converts
        self._tripwires: dict[TriggerPrice, TriggerIndex] = {}
        self._tripped_by: dict[str, list[TriggerIndex]] = {}  # by symbol: its own, and those it converts
        self._watchers: dict[str, set[int]] = {}  # by symbol: the rows handed over whenever it moves
        self._seats: dict[int, list[tuple[SlotTable[Any, Any], Any]]] = {}  # by row: where it sits, under which key
        self._watched: dict[int, frozenset[str]] = {}  # by row, where it watches any

    def __len__(self) -> int:
        return len(self._places)

    def ids(self) -> list[int]:
        return list(self._places)

    def has(self, account_id: int, seq: int) -> bool:
        """Return whether the shard has this version of the account."""
        row = self._places.get(account_id)
        return row is not None and int(self._rows.seq[row]) == seq

    def put(self, account: Account, conditions: Conditions, market: Market) -> None:
        """Add or replace an account; `market` has the newest quotes as of its `marked_through`.

        An account that is not live is dropped. One with a figure that does not fit is handed over at every batch.
        """
        self.drop(account.id)
        if not account.live:
            return
        row = self._take(account.id)
        self._heads[row] = np.frombuffer(account.head, np.uint8)
        try:
            self._seat(row, account, conditions, market)
        except ValueError:
            self._rows.set(row, **figures_without_positions(account))

    def fill(self, stored: StoredShard, markets: dict[int, Market]) -> list[int]:
        """Add many new accounts; `markets` are by `marked_through`. Return the ids left out, to be `put` singly."""
        loaded = load_shard(stored, markets, self._position_group)
        rows = np.array([self._take(one) for one in loaded.ids.tolist()], np.int64)
        self._rows.set(rows, **loaded.figures)
        self._heads[rows] = loaded.heads
        for group, at, figures in loaded.holdings:
            keys = rows[at].tolist()
            group.fill(keys, row=rows[at], **figures)
            for row in keys:
                self._seats[row].append((group, row))
        return loaded.left_out

    def drop(self, account_id: int) -> None:
        """Remove the account, if the shard has it."""
        row = self._places.pop(account_id, None)
        if row is None:
            return
        for table, key in self._seats.pop(row):
            table.drop(key)
        for symbol in self._watched.pop(row, ()):
            self._watchers[symbol].discard(row)
        self._vacate(row)

    def _vacate(self, row: int) -> None:
        """Free the row: no batch marks it, and nothing of it is due or dirty."""
        empty = dict.fromkeys(("holds", "unmarked", "dirty", "always_fold", "new_peak", "trails"), False)
        self._rows.set(row, through=NEVER, metric_due_at=NEVER, challenge_id=0, **empty)
        self._free.append(row)

    def _take(self, account_id: int) -> int:
        """Return a free row for the account."""
        if not self._free:
            length = self._rows.length
            self._rows.grow(max(1024, 2 * length))
            self._heads = np.concatenate((self._heads, np.zeros((self._rows.length - length, 32), np.uint8)))
            self._rows.through[length:] = self._rows.metric_due_at[length:] = NEVER
            self._free = list(range(self._rows.length - 1, length - 1, -1))
        row = self._places[account_id] = self._free.pop()
        self._seats[row] = []
        return row

    def _seat(self, row: int, account: Account, conditions: Conditions, market: Market) -> None:
        """Set the row's figures and add its positions to groups. Raises ValueError before it changes anything."""
        positions, slippage = account.positions.values(), account.policy.slippage
        profits = [position_unrealised(position, account, market, self._catalogue) for position in positions]
        figures = figures_of(account, sum(profits, ZERO), conditions.terms)
        watched: set[str] = set()
        for position, profit in zip(positions, [units(profit) for profit in profits], strict=True):
            group = self._position_group(position.symbol, position.side, slippage, account.currency)
            if fixed := _fixed(position, len(positions)):
                group.put(row, row=row, profit=profit, **fixed)
                self._seats[row].append((group, row))
            else:
                watched |= symbols_of(position.symbol, account.currency, self._catalogue, self._market)
        for order in account.orders.values():
            wire = self._tripwire(trigger_price(order, self._catalogue.par(account.currency), slippage))
            self._seats[row].append((wire, wire.add(row, order)))
        for symbol in watched:
            self._watchers.setdefault(symbol, set()).add(row)
        self._watched[row] = frozenset(watched)
        self._rows.set(row, **figures)

    def _position_group(self, symbol: str, side: Side, slippage: Slippage, currency: str) -> PositionGroup:
        key = symbol, side, slippage, self._catalogue.par(currency)
        if key not in self._lanes:
            group = self._lanes[key] = PositionGroup(symbol, side, slippage, currency, self._catalogue)
            for one in symbols_of(symbol, currency, self._catalogue, self._market):
                self._moved_by.setdefault(one, []).append(group)
        return self._lanes[key]

    def _tripwire(self, what: TriggerPrice) -> TriggerIndex:
        if what not in self._tripwires:
            wire = self._tripwires[what] = TriggerIndex(what)
            for one in symbols_of(what.symbol, what.currency, self._catalogue, self._market):
                self._tripped_by.setdefault(one, []).append(wire)
        return self._tripwires[what]

    def mark(self, batch: Batch) -> list[int]:
        """Mark every account that is behind the batch. Return the sorted ids that the caller has to fold instead.

        These are accounts whose day ends, whose equity reaches a threshold, whose order may trigger or whose figures do
        not fit, and accounts that missed a batch or whose due rows were not written.
        """
        rows, at = self._rows, microseconds(batch.market_time)
        behind = rows.through < batch.number
        missed = (rows.through < batch.number - 1) | self._is_due()
        handed = missed | rows.always_fold | (rows.day_ends_at <= at)
        repriced = self._reprice(batch, handed)
        unrealised = np.where(repriced.touched, repriced.open_profit, rows.unrealised)
        safe, trailing, lows = accounts_to_judge(rows, rows.cash + unrealised, repriced.touched)
        handed |= ~safe & (repriced.touched | rows.unmarked)
        moved = behind & ~handed
        for group, changes in repriced.groups:
            group.apply(changes, moved)
        rows.low[trailing[moved[trailing]]] = lows[moved[trailing]]
        observed = np.flatnonzero(moved & repriced.touched)
        self._observe(observed, unrealised[observed])
        rows.through[moved] = batch.number
        rows.marked_at[moved] = at
        rows.unmarked[moved] = False
        return sorted(rows.id[behind & handed].tolist())

    def _reprice(self, batch: Batch, handed: Flags) -> RepricedAccounts:
        """Reprice the positions that the quotes move; flag in `handed` the rows that need the plain fold."""
        open_profit, touched = self._rows.open_profit.copy(), np.zeros(len(handed), np.bool_)
        self._market.update((quote.symbol, quote) for quote in batch.quotes)
        for quote in batch.quotes:
            handed[list(self._watchers.get(quote.symbol, ()))] = True
            for wire in self._tripped_by.get(quote.symbol, ()):
                touched[wire.rows()] = True
                handed[wire.reached(self._market)] = True
        groups: list[tuple[PositionGroup, Ints]] = []
        for group in dict.fromkeys(group for quote in batch.quotes for group in self._moved_by.get(quote.symbol, ())):
            if len(group):
                at, changes, beyond = group.reprice(self._market)
                handed[at[beyond]] = True
                open_profit[at] += changes
                touched[at] = True
                groups.append((group, changes))
        return RepricedAccounts(open_profit, touched, groups)

    def _observe(self, at: Ints, unrealised: Ints) -> None:
        """Update the unrealised profit, highs and lows of the rows."""
        rows = self._rows
        equity = rows.cash[at] + unrealised
        changed = (unrealised != rows.unrealised[at]) | (equity < rows.day_low[at])
        rows.unrealised[at] = rows.open_profit[at] = unrealised
        rows.day_low[at] = np.minimum(rows.day_low[at], equity)
        for highs in (rows.high_watermark, rows.day_high, rows.peak_equity):
            changed |= equity > highs[at]
            highs[at] = np.maximum(highs[at], equity)
        rows.dirty[at[changed]] = True

    def _is_measurable(self) -> Flags:
        return ~self._rows.unmarked & (self._rows.marked_at >= self._rows.metric_due_at)

    def _is_notable(self) -> Flags:
        return ~self._rows.unmarked & self._rows.holds & (self._rows.marked_at >= self._rows.ledger_due_at)

    def _is_due(self) -> Flags:
        return self._is_measurable() | self._is_notable()

    def due(self) -> Ints:
        """Return the accounts with a metric or mark_to_market row due: to be written before the next batch."""
        return np.sort(self._rows.id[self._is_due()])

    def stir(self) -> None:
        """Make accounts dirty that only have working orders: no figure changes, but their stored mark ages."""
        rows = self._rows
        idle = ~rows.unmarked & ~rows.holds & ~rows.always_fold & (rows.phase_id == 0) & (rows.through != NEVER)
        rows.dirty[idle] = True

    def dirty(self) -> Ints:
        """Return the accounts with a figure that changed since it was last written, and those that were stirred."""
        return np.sort(self._rows.id[self._rows.dirty])

    def marks(self, ids: Iterable[int]) -> MarkRows:
        """Return what to write of the accounts; an account that no batch has marked since it was loaded has nothing."""
        rows = self._rows
        at = np.array([self._places[one] for one in ids if one in self._places], np.int64)
        at = at[~rows.unmarked[at]]
        marked_at, heads, runs = rows.marked_at[at], self._heads[at], rows.phase_id[at] != 0
        noted, measured = self._is_notable()[at], self._is_measurable()[at]
        notes = self._note(at[noted])
        heads[noted] = notes.hash
        return MarkRows(
            place=at,
            id=rows.id[at],
            seq=rows.seq[at],
            seq_after=rows.seq[at] + noted,
            head=heads,
            marked_through=rows.through[at],
            marked_at=marked_at,
            unrealised=rows.unrealised[at],
            equity=rows.cash[at] + rows.unrealised[at],
            high_watermark=rows.high_watermark[at],
            ledger_due_at=np.where(noted, marked_at + self._interval, rows.ledger_due_at[at]),
            phase_id=rows.phase_id[at],
            day_low=rows.day_low[at] * runs,
            day_high=rows.day_high[at] * runs,
            peak_equity=rows.peak_equity[at] * runs,
            metric_due_at=np.where(measured, marked_at // MINUTE * MINUTE + MINUTE, rows.metric_due_at[at]),
            metrics=self._measure(at[measured]),
            notes=notes,
        )

    def _note(self, at: Ints) -> LedgerNotes:
        """Return the mark_to_market ledger rows of the rows, as `fold.catch_up` would write them."""
        rows = self._rows
        version, times = rows.seq[at] + 1, (rows.marked_at[at], rows.through[at])
        figures = rows.cash[at], rows.unrealised[at], rows.high_watermark[at]
        return note(self._heads[at], rows.id[at], version, *figures, *times)

    def _measure(self, at: Ints) -> MetricRows:
        """Return the metric snapshots of the rows, as `days.measure` would take them."""
        rows = self._rows
        return MetricRows(
            phase_id=rows.phase_id[at],
            challenge_id=rows.challenge_id[at],
            account_id=rows.id[at],
            market_time=rows.marked_at[at],
            batch=rows.through[at],
            balance=rows.cash[at],
            equity=rows.cash[at] + rows.unrealised[at],
            day_start_balance=rows.day_start_balance[at],
            day_start_equity=rows.day_start_equity[at],
            day_low=rows.day_low[at],
            day_high=rows.day_high[at],
            peak_equity=rows.peak_equity[at],
        )

    def written(self, marks: MarkRows, accepted: Flags) -> None:
        """Record the marks that the database accepted. An account replaced since their computation stays unchanged."""
        rows, at = self._rows, marks.place
        here = (rows.id[at] == marks.id) & (rows.through[at] != NEVER)
        n = np.flatnonzero(accepted & here & (rows.seq[at] == marks.seq) & ~rows.unmarked[at])
        at = at[n]
        self._heads[at] = marks.head[n]
        rows.seq[at] = marks.seq_after[n]
        rows.metric_due_at[at] = marks.metric_due_at[n]
        rows.ledger_due_at[at] = marks.ledger_due_at[n]
        rows.dirty[at] &= rows.through[at] != marks.marked_through[n]


def _fixed(position: Position, count: int) -> dict[str, int] | None:
    """Return the figures of a position, or None if they do not fit into columns."""
    try:
        return position_figures(position, count)
    except ValueError:
        return None
