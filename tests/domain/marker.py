"""A marking pass around the shard as in services/columnar/passes.py, with dictionaries for a database."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from json import loads
from typing import Any

import numpy as np

from domain import fold
from domain.accounts import Account, Journal, Metric
from domain.columnar.account_rows import ALWAYS, NEVER
from domain.columnar.fixed_point import amount
from domain.columnar.mark_rows import LedgerNotes, MarkRows, MetricRows
from domain.columnar.shard import AccountShard
from domain.ledger import EPOCH, MICROSECOND, Kind, Row
from domain.money import ZERO
from domain.positions import Side
from domain.quotes import Batch
from domain.verdicts import Conditions
from tests.domain.builders import a_challenger, a_phase_terms
from tests.domain.desk_builders import BASE, CATALOGUE, HOUR, a_holding, a_market, after, conditions, holding
from tests.domain.stored import stored

Live = tuple[Account, Conditions]
WHOLE = {"phase_id", "challenge_id", "account_id", "batch"}


def instant(whole: int) -> datetime | None:
    return None if whole in (ALWAYS, NEVER) else EPOCH + whole * MICROSECOND


def metrics_of(columns: MetricRows) -> list[Metric]:
    names = [field.name for field in fields(Metric)]
    facts: list[dict[str, Any]] = [
        {
            n: v if n in WHOLE else instant(v) if n == "market_time" else amount(v)
            for n, v in zip(names, row, strict=True)
        }
        for row in zip(*(getattr(columns, name).tolist() for name in names), strict=True)
    ]
    return [Metric(**fact) for fact in facts]


def rows_of(notes: LedgerNotes) -> list[Row]:
    figures = (notes.account_id, notes.seq, notes.balance, notes.market_time, notes.batch)
    rows = []
    for n, (one, seq, balance, at, batch) in enumerate(zip(*(column.tolist() for column in figures), strict=True)):
        moment = instant(at)
        assert moment
        facts, link = loads(notes.facts[n]), notes.hash[n].tobytes()
        rows.append(
            Row(one, seq, Kind.MARK_TO_MARKET, ZERO, amount(balance), moment, batch, facts, link, notes.facts[n])
        )
    return rows


def as_written(account: Account, marks: MarkRows, n: int) -> Account:
    """The stored account after the n-th row of the marks."""
    phase = account.phase
    if marks.phase_id[n]:
        assert phase, "only a phase has a phase's figures"
        assert phase.id == marks.phase_id[n]
        phase = replace(
            phase,
            day_low=amount(int(marks.day_low[n])),
            day_high=amount(int(marks.day_high[n])),
            peak_equity=amount(int(marks.peak_equity[n])),
            metric_due_at=instant(int(marks.metric_due_at[n])),
        )
    assert amount(int(marks.equity[n])) == account.cash + amount(int(marks.unrealised[n]))
    return replace(
        account,
        phase=phase,
        seq=int(marks.seq_after[n]),
        head=marks.head[n].tobytes(),
        unrealised=amount(int(marks.unrealised[n])),
        high_watermark=amount(int(marks.high_watermark[n])),
        marked_through=int(marks.marked_through[n]),
        marked_at=instant(int(marks.marked_at[n])),
        ledger_due_at=instant(int(marks.ledger_due_at[n])),
    )


def lists(columns: Any) -> dict[str, Any]:
    """Columns as they can be compared."""
    values = {field.name: getattr(columns, field.name) for field in fields(columns)}
    return {
        n: v if isinstance(v, list) else v.tolist() if hasattr(v, "tolist") else lists(v) for n, v in values.items()
    }


def a_trader(*positions: tuple[str, Side, str], **changes: object) -> Account:
    held = [a_holding(*position) for position in positions]
    return holding(replace(a_challenger(), **changes), *held)  # type: ignore[arg-type]


def quiet(**changes: object) -> Live:
    """A challenger with a long of 10,000 EURUSD that no small move brings near a limit."""
    return a_trader(("EURUSD", Side.LONG, "10000"), **changes), conditions(a_phase_terms())


class Marker:
    """Marks, writes what is due, catches up what it is handed."""

    def __init__(self, live: Iterable[Live], interval: timedelta = HOUR, *, whole: bool = False) -> None:
        """`whole` puts the accounts, in order of id, into the book at once."""
        live = list(live)
        self.stored = {account.id: account for account, _ in live}
        self.conditions = {account.id: its for account, its in live}
        self.journals = {account.id: Journal() for account, _ in live}
        self.tape: list[Batch] = []
        self.through = 0
        self.book = AccountShard(interval, CATALOGUE, a_market())
        ones: Iterable[int] = self.stored
        if whole:
            ones = self.book.fill(stored(live, list(BASE)), {0: a_market()})
        for one in ones:
            self.reload(one)

    def reload(self, one: int) -> None:
        """Take the account as it is stored now; one that is behind the book is brought up first."""
        if self.stored[one].marked_through < self.through:
            self.catch_up(one, self.through)
        account = self.stored[one]
        self.book.put(account, self.conditions[one], after(a_market(), self.tape[: account.marked_through]))

    def catch_up(self, one: int, through: int) -> None:
        """Bring the stored account forward under its lock."""
        account = self.stored[one]
        market = after(a_market(), self.tape[: account.marked_through])
        batches = self.tape[:through]
        self.stored[one] = fold.catch_up(account, market, batches, self.conditions[one], self.journals[one])

    def mark(self, batch: Batch) -> list[int]:
        handed = self.book.mark(batch)
        self.through = batch.number
        self.write(self.book.due().tolist())
        for one in handed:
            self.reload(one)
        return handed

    def write(self, ids: Sequence[int]) -> None:
        """Store marks where the version and the batch allow it; read the other accounts again."""
        marks = self.book.marks(ids)
        known = marks.id.tolist()
        taken = []
        for n, one in enumerate(known):
            stored = self.stored[one]
            if stored.seq == marks.seq[n] and stored.marked_through < marks.marked_through[n]:
                self.stored[one] = as_written(stored, marks, n)
                taken.append(one)
        for row in rows_of(marks.notes):
            if row.account in taken:
                self.journals[row.account].rows.append(row)
        for metric in metrics_of(marks.metrics):
            if metric.account_id in taken:
                self.journals[metric.account_id].metrics.append(metric)
        self.book.written(marks, np.isin(marks.id, taken))
        for one in set(known) - set(taken):
            self.reload(one)


def folded(live: Live, tape: Sequence[Batch]) -> tuple[Account, Journal]:
    journal = Journal()
    account, its = live
    return fold.catch_up(account, a_market(), tape, its, journal), journal
