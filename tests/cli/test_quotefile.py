"""Quotes files: read batch by batch, and every way they can be broken named with its line."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.quotefile import FileBatch, batches, count_rows
from config.errors import Problem

HEADER = "ts_utc_ms,symbol,bid,ask"
GOOD = f"{HEADER}\n1000,EURUSD,1.1,1.2\n1000,GBPUSD,1.3,1.4\n2000,EURUSD,1.1,1.2\n"


def a_file(directory: Path, content: str | bytes, name: str = "quotes.csv") -> Path:
    path = directory / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path) -> tuple[list[FileBatch], str | None]:
    """The batches handed out, and what the Problem said if one ended them."""
    taken: list[FileBatch] = []
    try:
        taken.extend(batches(path))
    except Problem as problem:
        return taken, str(problem)
    return taken, None


def test_rows_of_one_time_are_one_batch_with_the_line_of_its_first(tmp_path: Path) -> None:
    first, second = batches(a_file(tmp_path, GOOD))
    assert [(row.symbol, row.bid, row.ask) for row in first.rows] == [
        ("EURUSD", "1.1", "1.2"),
        ("GBPUSD", "1.3", "1.4"),
    ]
    assert (first.line, second.line) == (2, 4)
    assert second.time == datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "write",
    [
        lambda text: gzip.compress(text.encode()),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.rstrip("\n").encode(),
        lambda text: (text + "\n\n").encode(),
    ],
    ids=["gzip", "crlf", "byte order mark", "no last line end", "blank lines"],
)
def test_the_same_quotes_however_they_are_written(tmp_path: Path, write: Callable[[str], bytes]) -> None:
    plain = list(batches(a_file(tmp_path, GOOD)))
    assert list(batches(a_file(tmp_path, write(GOOD), "other.csv"))) == plain


@pytest.mark.parametrize("number", ["nan", "NaN", "-inf", "0", "-1.5", "1e5", "+2", ".5", "5."])
def test_any_number_is_for_the_desk_to_judge(tmp_path: Path, number: str) -> None:
    (batch,) = batches(a_file(tmp_path, f"{HEADER}\n1000,NOSUCH,{number},1\n"))
    assert batch.rows[0].bid == number


BROKEN = [
    ("empty", "", 1, "the file is empty", 0),
    ("no header", "1000,EURUSD,1.1,1.2\n", 1, f"the header is not {HEADER}", 0),
    ("other header", "time,symbol,bid,ask\n1000,EURUSD,1,2\n", 1, f"the header is not {HEADER}", 0),
    ("only a header", f"{HEADER}\n", 1, "no quotes follow the header", 0),
    ("three columns", GOOD + "3000,EURUSD,1.1\n", 5, "3 columns instead of 4", 2),
    ("five columns", GOOD + "3000,EURUSD,1.1,1.2,9\n", 5, "5 columns instead of 4", 2),
    ("no number", GOOD + "3000,EURUSD,1.1,abc\n", 5, "ask is not a number: 'abc'", 3),
    ("no number, same time", GOOD + "2000,GBPUSD,,1.2\n", 5, "bid is not a number: ''", 2),
    ("underscore", GOOD + "3000,EURUSD,1_0,1.2\n", 5, "bid is not a number: '1_0'", 3),
    ("no symbol", GOOD + "3000,,1.1,1.2\n", 5, "symbol is not a name: ''", 3),
    ("control character", GOOD + "3000,EUR\x00,1.1,1.2\n", 5, "symbol is not a name: 'EUR\\x00'", 3),
    ("no time", GOOD + "soon,EURUSD,1.1,1.2\n", 5, "ts_utc_ms is not a whole number of milliseconds: 'soon'", 2),
    ("a fraction of a millisecond", GOOD + "3000.5,EURUSD,1.1,1.2\n", 5, "ts_utc_ms is not a whole number", 2),
    ("beyond the calendar", GOOD + "999999999999999,EURUSD,1.1,1.2\n", 5, "ts_utc_ms is beyond the year 9999", 2),
    ("back in time", GOOD + "1999,EURUSD,1.1,1.2\n", 5, "the time goes back", 2),
    ("binary", GOOD.encode() + b"\xff\xfe\x00\x80\n", 5, "the line is not text", 2),
    ("no line end at all", GOOD + "x" * 5000, 5, "the line is longer than 1000 bytes", 2),
    ("not gzip inside", b"\x1f\x8b" + b"garbage " * 50, 1, "the gzip data is damaged", 0),
]


@pytest.mark.parametrize(
    ("content", "line", "reason", "taken"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN]
)
def test_a_broken_file_is_named_with_line_reason_and_what_was_taken(
    tmp_path: Path, content: str | bytes, line: int, reason: str, taken: int
) -> None:
    path = a_file(tmp_path, content)
    handed_out, told = read(path)
    assert told is not None
    assert told.startswith(f"{path}, line {line}: {reason}")
    assert told.endswith(f"{taken} rows before it were taken")
    assert sum(len(batch.rows) for batch in handed_out) == taken


def test_a_gzip_file_that_is_cut_off_ends_before_the_batch_that_may_be_incomplete(tmp_path: Path) -> None:
    rows = "".join(f"{1000 * n},EURUSD,1.{n:05},1.{n + 1:05}\n" for n in range(1, 20_000))
    whole = gzip.compress(f"{HEADER}\n{rows}".encode())
    path = a_file(tmp_path, whole[: len(whole) // 2])
    handed_out, told = read(path)
    assert told is not None
    assert "the gzip data is cut off" in told
    assert told.endswith(f"; {len(handed_out):,} rows before it were taken")
    assert 0 < len(handed_out) < 20_000
    assert count_rows(path) >= 0, "and counting, for the bar, does not mind"


def test_rows_are_counted_without_being_read(tmp_path: Path) -> None:
    assert count_rows(a_file(tmp_path, GOOD)) == 3
    assert count_rows(a_file(tmp_path, gzip.compress(GOOD.encode()))) == 3


def test_a_file_that_cannot_be_opened_is_a_problem(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.csv", tmp_path):
        with pytest.raises(Problem, match="cannot read"):
            list(batches(path))
        with pytest.raises(Problem, match="cannot read"):
            count_rows(path)


def test_the_recorded_quotes_can_be_read(recorded_quotes: Callable[[str], Path]) -> None:
    path = recorded_quotes("fx_1m.csv.gz")
    assert sum(len(batch.rows) for batch in batches(path)) == count_rows(path) == 46_131
