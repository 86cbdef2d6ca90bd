"""Marks that the shard hands over for writing, and its state after the database's answer."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from domain.columnar.fixed_point import amount
from domain.columnar.mark_rows import eight_places, plain_texts
from domain.columnar.shard import AccountShard
from domain.money import plain
from tests.domain.builders import NOON, a_batch
from tests.domain.desk_builders import CATALOGUE, HOUR, a_market, quoted
from tests.domain.marker import Live, Marker, folded, quiet


def due(at: datetime) -> Live:
    account, its = quiet()
    assert account.phase
    return replace(account, phase=replace(account.phase, metric_due_at=at), ledger_due_at=at), its


def test_what_is_due_is_told_once_and_written_as_the_fold_writes_it() -> None:
    live = due(NOON + timedelta(seconds=2))
    marker = Marker([live])
    marker.tape = [a_batch(n, quoted("EURUSD", n)) for n in (1, 2, 3)]
    told = []
    for batch in marker.tape:
        marker.book.mark(batch)
        told.append(marker.book.due().tolist())
        marker.write(marker.book.due().tolist())
    marker.write(marker.book.ids())
    assert told == [[], [1001], []]
    assert (marker.stored[1001], marker.journals[1001]) == folded(live, marker.tape)
    assert len(marker.journals[1001].rows) == len(marker.journals[1001].metrics) == 1


def test_what_was_due_and_not_written_is_left_to_the_fold() -> None:
    book = AccountShard(HOUR, CATALOGUE, a_market())
    book.put(*due(NOON), a_market())
    assert [book.mark(a_batch(n)) for n in (1, 2)] == [[], [1001]]


def test_what_the_database_took_is_not_dirty_any_more_unless_it_has_moved_on() -> None:
    book = AccountShard(HOUR, CATALOGUE, a_market())
    book.put(*due(NOON + HOUR), a_market())
    book.mark(a_batch(1, quoted("EURUSD", 1)))
    first = book.marks(book.dirty())
    book.mark(a_batch(2, quoted("EURUSD", 2)))
    book.written(first, first.id == 1001)
    assert book.dirty().tolist() == [1001]
    second = book.marks(book.dirty())
    book.written(second, second.id == 0)
    assert book.dirty().tolist() == [1001]
    book.written(second, second.id == 1001)
    assert book.dirty().tolist() == []


def versions(book: AccountShard) -> list[int]:
    seqs = range(10)
    return [seq for seq in seqs if book.has(1001, seq)]


def test_what_was_written_before_an_account_was_put_again_is_left_alone() -> None:
    book, live = AccountShard(HOUR, CATALOGUE, a_market()), due(NOON)
    book.put(*live, a_market())
    book.mark(a_batch(1, quoted("EURUSD", 1)))
    marks = book.marks([1001])
    assert marks.seq_after.tolist() == [1]
    book.put(replace(live[0], seq=5, marked_through=1), live[1], a_market())
    book.mark(a_batch(2, quoted("EURUSD", 2)))
    book.written(marks, marks.id == 1001)
    assert (versions(book), book.dirty().tolist()) == ([5], [1001])
    later = due(NOON + HOUR)
    book.put(replace(later[0], marked_through=2), later[1], a_market())
    book.written(marks, marks.id == 1001)
    book.mark(a_batch(3))
    assert (versions(book), book.due().tolist()) == ([0], [])


def test_marking_again_with_unmoved_quotes_dirties_nothing() -> None:
    book = AccountShard(HOUR, CATALOGUE, a_market())
    book.put(*quiet(), a_market())
    book.mark(a_batch(1, *a_market().values()))
    assert book.dirty().tolist() == []


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_amounts_become_texts_in_columns_as_they_do_one_by_one(wholes: list[int]) -> None:
    column = np.array([0, -1, 10**8, -(10**8), 10**9 - 1, -(2**63), *wholes], np.int64)
    amounts = [amount(whole) for whole in column.tolist()]
    assert plain_texts(column) == [plain(one) for one in amounts]
    assert eight_places(column) == [f"{one:.8f}" for one in amounts]
