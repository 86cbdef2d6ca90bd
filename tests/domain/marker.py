"""What services/marks.py does around the book, with dictionaries for a database."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

from domain import desk
from domain.accounts import Account, Journal, Metric
from domain.book import Book
from domain.columns import amount
from domain.judging import Conditions
from domain.marks import Marks, Metrics
from domain.quotes import Batch
from tests.domain.desk_builders import HOUR, a_market, after

Live = tuple[Account, Conditions]


def metrics_of(columns: Metrics) -> list[Metric]:
    names = [field.name for field in fields(Metric)]
    whole = {"phase_id", "challenge_id", "account_id", "market_time", "batch"}
    rows = zip(*(getattr(columns, name) for name in names), strict=True)
    facts: list[dict[str, Any]] = [
        {n: v if n in whole else amount(v) for n, v in zip(names, row, strict=True)} for row in rows
    ]
    return [Metric(**fact) for fact in facts]


def as_written(account: Account, marks: Marks, n: int) -> Account:
    """The stored account after the n-th row of the marks."""
    phase = account.phase
    if marks.phase_id[n]:
        assert phase, "only a phase has a phase's figures"
        assert phase.id == marks.phase_id[n]
        phase = replace(
            phase,
            day_low=amount(marks.day_low[n]),
            day_high=amount(marks.day_high[n]),
            peak_equity=amount(marks.peak_equity[n]),
            metric_due_at=marks.metric_due_at[n],
        )
    assert amount(marks.equity[n]) == account.cash + amount(marks.unrealised[n])
    return replace(
        account,
        phase=phase,
        seq=marks.seq_after[n],
        head=marks.head[n],
        unrealised=amount(marks.unrealised[n]),
        high_watermark=amount(marks.high_watermark[n]),
        marked_through=marks.marked_through[n],
        marked_at=marks.marked_at[n],
        ledger_due_at=marks.ledger_due_at[n],
    )


class Marker:
    """Marks, writes what is due, catches up what it is handed."""

    def __init__(self, live: Iterable[Live], interval: timedelta = HOUR) -> None:
        self.stored = {account.id: account for account, _ in live}
        self.conditions = {account.id: its for account, its in live}
        self.journals = {account.id: Journal() for account, _ in live}
        self.tape: list[Batch] = []
        self.through = 0
        self.book = Book(interval)
        for one in self.stored:
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
        self.stored[one] = desk.catch_up(account, market, batches, self.conditions[one], self.journals[one])

    def mark(self, batch: Batch) -> list[int]:
        handed = self.book.mark(batch)
        self.through = batch.number
        self.write(self.book.due())
        for one in handed:
            self.reload(one)
        return handed

    def write(self, ids: Sequence[int]) -> None:
        """Store marks where the version and the batch allow it; read the other accounts again."""
        marks = self.book.marks(ids)
        taken = []
        for n, one in enumerate(marks.id):
            stored = self.stored[one]
            if stored.seq == marks.seq[n] and stored.marked_through < marks.marked_through[n]:
                self.stored[one] = as_written(stored, marks, n)
                taken.append(one)
        for row in marks.rows:
            if row.account in taken:
                self.journals[row.account].rows.append(row)
        for metric in metrics_of(marks.metrics):
            if metric.account_id in taken:
                self.journals[metric.account_id].metrics.append(metric)
        self.book.written(marks, taken)
        for one in set(marks.id) - set(taken):
            self.reload(one)


def folded(live: Live, tape: Sequence[Batch]) -> tuple[Account, Journal]:
    journal = Journal()
    account, its = live
    return desk.catch_up(account, a_market(), tape, its, journal), journal
