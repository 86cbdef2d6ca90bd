"""Quote files: the same quotes however they are packed and written, and every way to be broken named with its line."""

import bz2
import gzip
import io
import lzma
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.quotefile import QuoteFiles, merging
from config.errors import Problem
from tests.cli.quotefiles import FIRST, HEADER, a_file, own, quotes, read, refusal

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GOOD = own("1000,EURUSD,1.1,1.2", "1000,GBPUSD,1.3,1.4", "2000,EURUSD,1.1,1.2")


def zipped(content: bytes, **others: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("folder/table.csv", content)
        for name, other in others.items():
            archive.writestr(name, other)
    return packed.getvalue()


def test_rows_of_one_time_are_one_batch(tmp_path: Path) -> None:
    first, second = read(a_file(tmp_path, GOOD))
    assert [(row.symbol, row.bid, row.ask) for row in first.rows] == [
        ("EURUSD", "1.1", "1.2"),
        ("GBPUSD", "1.3", "1.4"),
    ]
    assert second.time == datetime(2026, 3, 2, 0, 0, 2, tzinfo=UTC)


def test_a_time_with_more_rows_than_a_request_takes_comes_in_several_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "ROWS_MAX", 2)
    path = a_file(tmp_path, own(*(f"1000,EURUSD,1.{n},2" for n in range(1, 6)), "2000,EURUSD,1,2"))
    assert [len(batch.rows) for batch in read(path)] == [2, 2, 1, 1]


WRITTEN: dict[str, Callable[[str], bytes]] = {
    "gzip": lambda text: gzip.compress(text.encode()),
    "bzip2": lambda text: bz2.compress(text.encode()),
    "xz": lambda text: lzma.compress(text.encode()),
    "zstd": lambda text: zstd.compress(text.encode()),
    "zip": lambda text: zipped(text.encode()),
    "zip with a report beside": lambda text: zipped(text.encode(), **{"report.txt": b"gaps", "__MACOSX/x.csv": b"x"}),
    "gzip twice": lambda text: gzip.compress(gzip.compress(text.encode())),
    "a gzip in a zip": lambda text: zipped(gzip.compress(text.encode())),
    "crlf": lambda text: text.replace("\n", "\r\n").encode(),
    "carriage returns": lambda text: text.replace("\n", "\r").encode(),
    "byte order mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16, big end first": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "UTF-16 without a mark": lambda text: text.encode("utf-16-le"),
    "no last line end": lambda text: text.rstrip("\n").encode(),
    "blank lines": lambda text: ("\n" + text.replace("\n", "\n\n") + "  \n,,,\n").encode(),
    "comments": lambda text: ("# exported\n" + text + "# end\n").encode(),
    "semicolons": lambda text: text.replace(",", ";").encode(),
    "semicolons and decimal commas": lambda text: text.replace(",", ";").replace(".", ",").encode(),
    "semicolons, said so": lambda text: ("sep=;\n" + text.replace(",", ";")).encode(),
    "tabs": lambda text: text.replace(",", "\t").encode(),
    "spaces": lambda text: text.replace(",", " , ").encode(),
    "quotation marks": lambda text: "\n".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) for line in text.split()
    ).encode(),
    "capitals": lambda text: text.replace(HEADER, HEADER.upper()).encode(),
    "other names": lambda text: text.replace(HEADER, "Timestamp,Pair,Bid Price,Offer").encode(),
    "trailing commas": lambda text: text.replace("\n", ",\n").encode(),
    "another column": lambda text: "\n".join(
        line + (",volume" if line == HEADER else ",7") for line in text.split()
    ).encode(),
    "another order": lambda text: "\n".join(",".join(reversed(line.split(","))) for line in text.split()).encode(),
    "no header": lambda text: text.removeprefix(HEADER + "\n").encode(),
    "small letters": lambda text: text.lower().encode(),
    "slashes": lambda text: text.replace("EURUSD", "EUR/USD").encode(),
}


@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN.keys())
def test_the_same_quotes_however_they_are_written(tmp_path: Path, write: Callable[[str], bytes]) -> None:
    plain = quotes(a_file(tmp_path, GOOD))
    assert quotes(a_file(tmp_path, write(GOOD), "other.csv")) == plain


@pytest.mark.parametrize("row", ["{symbol},{time},1.1,1.2", '"{symbol}",{time},1.1,1.2', "{symbol};{time};1,1;1,2"])
def test_a_symbol_with_a_hash_sign_in_front_begins_no_comment(tmp_path: Path, row: str) -> None:
    rows = [row.format(symbol=symbol, time=FIRST) for symbol in ("#AAPL", "EURUSD", "#MSFT.US")]
    header = "symbol,time,bid,ask".replace(",", ";" if ";" in row else ",")
    path = a_file(tmp_path, "\n".join(["# exported, 2026", header, *rows, "#the end, at 12:30"]))
    assert [symbol for _, symbol, _, _ in quotes(path)] == ["#AAPL", "EURUSD", "#MSFT.US"]


@pytest.mark.parametrize("number", ["nan", "NaN", "-inf", "0", "-1.5", "1e5", "+2", ".5", "5."])
def test_any_number_is_for_the_desk_to_judge(tmp_path: Path, number: str) -> None:
    (batch,) = read(a_file(tmp_path, own(f"1000,NOSUCH,{number},1e6", "1000,NOSUCH,1,1", "1000,NOSUCH,1,1")))
    assert batch.rows[0].bid == number


BROKEN = [
    ("three columns", GOOD + own("3000,EURUSD,1.1")[len(HEADER) + 1 :], 5, "3 columns instead of 4"),
    ("five columns", GOOD + own("3000,EURUSD,1.1,1.2,9")[len(HEADER) + 1 :], 5, "5 columns instead of 4"),
    ("no number", own("1,EURUSD,1.1,1.2", "3000,EURUSD,1.1,abc"), 3, "ask is not a number: 'abc'"),
    ("nothing", own("1,EURUSD,1.1,1.2", "2000,GBPUSD,,1.2"), 3, "bid is not a number: ''"),
    ("underscore", own("3000,EURUSD,1_0,1.2"), 2, "bid is not a number: '1_0'"),
    ("a thousand, or 1 and a bit", own('3000,EURUSD,"1,083","1,084"'), 2, "bid is not a number: '1,083'"),
    ("no symbol", own("1,EURUSD,1.1,1.2", "3000,,1.1,1.2"), 3, "symbol is not a name: ''"),
    ("control character", own("1,EURUSD,1.1,1.2", "3000,EUR\x00,1.1,1.2"), 3, "symbol is not a name: 'EUR\\x00'"),
    ("a price for a symbol", own("1,1.1,1.1,1.2"), 2, "symbol is a number, 1.1: the columns are mixed up"),
    ("no time", GOOD + "soon,EURUSD,1.1,1.2\n", 5, "the time is not a number of milliseconds since 1970: 'soon'"),
    ("another unit", GOOD + "1772409603,EURUSD,1.1,1.2\n", 5, "the time is 1970-01-21 12:20:09, not between 2000"),
    ("beyond the calendar", GOOD + "9" * 19 + ",EURUSD,1.1,1.2\n", 5, "the time is 9892-"),
    ("back in time", own("2,EURUSD,1.1,1.2", "1,EURUSD,1,2"), 3, "the time goes back from 2026-03-02 00:00:00.002000"),
    ("binary", GOOD.encode() + b"\xff\xfe\x00\x80\n", 5, "the line is not text"),
    ("no line end at all", GOOD + "x" * 50_000, 5, "the line is longer than 10,000 characters"),
    ("a quotation mark", GOOD + '"1772409603000,EURUSD,1,2\n', 5, "the quotation marks do not match"),
    ("before 2000", f"{HEADER}\n944006400000,EURUSD,1,2\n", 2, "the time lies in no unit between 2000 and 2100"),
    ("since the start", f"{HEADER}\n1000,EURUSD,1,2\n", 2, "1000 is 1970-01-01 in seconds, 1970-01-01 in milliseconds"),
]


@pytest.mark.parametrize(("content", "line", "reason"), [case[1:] for case in BROKEN], ids=[c[0] for c in BROKEN])
def test_a_broken_row_is_named_with_file_line_and_reason_before_any_is_handed_in(
    tmp_path: Path, content: str | bytes, line: int, reason: str
) -> None:
    path = a_file(tmp_path, content)
    told = refusal(path)
    assert told.startswith(f"{path}, line {line}: ")
    assert reason in told
    assert told.endswith("; no quotes were handed in")


UNUSABLE = [
    ("empty", b"", "is empty"),
    ("only a header", HEADER.encode(), "has a header and no quotes below it"),
    ("a header without prices", b"time,symbol,volume\n1772409600,EURUSD,7\n", "is in no layout that is known"),
    ("prose", b"Dear all,\nplease find attached\n", "is in no layout that is known"),
    ("not gzip inside", b"\x1f\x8b" + b"garbage " * 50, "the packed data are damaged"),
    ("not zstd inside", b"\x28\xb5\x2f\xfd" + bytes(40), "the packed data are cut off"),
    ("not a zip inside", b"PK\x03\x04garbage", "the packed data are damaged"),
    ("an empty zip", b"PK\x05\x06" + bytes(18), "the zip holds no table (it is empty)"),
    ("7z", b"7z\xbc\xaf\x27\x1c" + bytes(30), "7z is not supported"),
    ("Parquet", b"PAR1" + bytes(30), "Parquet is not supported"),
]


@pytest.mark.parametrize(("content", "reason"), [case[1:] for case in UNUSABLE], ids=[case[0] for case in UNUSABLE])
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    assert reason in refusal(a_file(tmp_path, content))


def test_a_zip_without_a_table_says_what_it_holds(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("readme.md", b"")
    assert "holds no table (readme.md)" in refusal(a_file(tmp_path, packed.getvalue()))


def test_a_packed_file_that_is_cut_off_is_refused_whole(tmp_path: Path) -> None:
    rows = own(*(f"{n},EURUSD,1.{n:05},1.{n + 1:05}" for n in range(1, 20_000)))
    for compress in (gzip.compress, bz2.compress, lzma.compress, zstd.compress):
        whole = compress(rows.encode())
        assert "cut off" in refusal(a_file(tmp_path, whole[: len(whole) // 2]))


def test_a_file_that_cannot_be_opened_is_a_problem(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.csv", tmp_path):
        assert f"cannot read {path}" in refusal(path)


MIXED = [
    (
        "ask before bid",
        own("1,EURUSD,1.2,1.1", "2,EURUSD,1.2,1.1", "3,EURUSD,1.1,1.2"),
        "the bid is above the ask in 2",
    ),
    ("a volume for the ask", own("1,EURUSD,1.1,1000", "2,EURUSD,1.1,5"), "the ask is more than twice the bid in 2"),
    ("high and low", "time,symbol,open,low,high,close\n1772409600,EURUSD,1,4,1,2\n", "the high is not the highest"),
]


@pytest.mark.parametrize(("content", "reason"), [case[1:] for case in MIXED], ids=[case[0] for case in MIXED])
def test_columns_that_are_mixed_up_are_refused(tmp_path: Path, content: str, reason: str) -> None:
    told = refusal(a_file(tmp_path, content))
    assert reason in told
    assert "mixed up" in told


def test_a_few_crossed_quotes_are_for_the_desk_to_drop(tmp_path: Path) -> None:
    path = a_file(tmp_path, own("1,EURUSD,1.2,1.1", "2,EURUSD,1.1,1.2"))
    assert len(read(path)) == 2


def test_files_are_merged_by_time_and_those_of_one_time_in_their_order(tmp_path: Path) -> None:
    one = a_file(tmp_path, own("1000,EURUSD,1.1,1.2", "3000,EURUSD,1.1,1.2"), "one.csv")
    two = a_file(tmp_path, own("1000,GBPUSD,1.3,1.4", "2000,GBPUSD,1.3,1.4", "3000,GBPUSD,1.3,1.4"), "two.csv")
    merged = [(row.time.second, row.symbol) for b in QuoteFiles([two, one]).batches() for row in b.rows]
    assert merged == [(1, "GBPUSD"), (1, "EURUSD"), (2, "GBPUSD"), (3, "GBPUSD"), (3, "EURUSD")]


def test_a_file_is_opened_only_when_its_first_quote_is_due(tmp_path: Path) -> None:
    early = a_file(tmp_path, own(*(f"{n}000,EURUSD,1.1,1.2" for n in (1, 2, 3))), "early.csv")
    late = a_file(tmp_path, own("9000,EURUSD,1.1,1.2"), "late.csv")
    batches = QuoteFiles([early, late]).batches()
    next(batches)
    late.unlink()
    next(batches)
    with pytest.raises(Problem, match="cannot read"):
        list(batches)


def test_a_file_that_changes_under_the_replay_is_named(tmp_path: Path) -> None:
    path = a_file(tmp_path, GOOD)
    files = QuoteFiles([path])
    a_file(tmp_path, GOOD.replace("1.4", "x"))
    with pytest.raises(Problem, match="has changed since it was checked: line 3: ask is not a number"):
        list(files.batches())


def test_the_recorded_quotes_can_be_read(recorded_quotes: Callable[[str], Path]) -> None:
    files = QuoteFiles([recorded_quotes("fx_1m.csv.gz")])
    assert sum(len(batch.rows) for batch in files.batches()) == files.quotes == 46_131
