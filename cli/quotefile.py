"""Recorded quotes in a file: CSV, plain or gzipped, `ts_utc_ms,symbol,bid,ask`, in the order of time.

A file is judged by its form alone. What a quote is worth (unknown symbol, crossed, not finite, late) the desk decides,
so bid and ask stay text.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from config.errors import Problem

HEADER = "ts_utc_ms,symbol,bid,ask"
LINE_BYTES_MAX = 1_000  # a line of a quotes file is far shorter, and a binary file may have no line end at all
GZIP_MAGIC = b"\x1f\x8b"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_MILLISECONDS = re.compile(r"\d{1,15}", re.ASCII)
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?|nan|inf|infinity)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class QuoteRow:
    """One quote; bid and ask are the text that was recorded, any number, `NaN` among them."""

    time: datetime
    symbol: str
    bid: str
    ask: str


@dataclass(frozen=True, slots=True)
class FileBatch:
    """All rows of one time, in their order; `line` is the first one's."""

    time: datetime
    line: int
    rows: tuple[QuoteRow, ...]


class _Malformed(Exception):
    """A line that cannot be used, and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")


def batches(path: Path) -> Iterator[FileBatch]:
    """Read the file in one pass, handing out each time's rows once a later time or the end shows them complete.

    Raises Problem naming the line, the reason and how many rows were handed out before it.
    """
    taken = 0
    try:
        for batch in _batches(_lines(path)):
            yield batch
            taken += len(batch.rows)
    except _Malformed as malformed:
        raise Problem(f"{path}, {malformed}; {taken:,} rows before it were taken") from None


def count_rows(path: Path) -> int:
    """The lines below the header, as far as the file can be read: a measure for progress. Raises Problem."""
    lines = 0
    with _opened(path) as stream:
        try:
            while chunk := stream.read(1 << 20):
                lines += chunk.count(b"\n")
        except (EOFError, gzip.BadGzipFile, zlib.error):
            pass  # reading the quotes will come to that place and name it
    return max(0, lines - 1)


def _batches(lines: Iterator[tuple[int, str]]) -> Iterator[FileBatch]:
    number, header = next(lines, (1, ""))
    if header != HEADER:
        raise _Malformed(number, "the file is empty" if not header else f"the header is not {HEADER}")
    time, first, rows = EPOCH, 0, list[QuoteRow]()
    for number, text in lines:
        cells = text.split(",")
        moment = _moment(number, cells)
        if rows and moment < time:
            raise _Malformed(number, f"the time goes back from {time:%F %T.%f} to {moment:%F %T.%f}")
        if rows and moment > time:
            yield FileBatch(time, first, tuple(rows))
            rows = []
        if not rows:
            time, first = moment, number
        rows.append(_row(number, moment, cells))
    if not rows:
        raise _Malformed(number, "no quotes follow the header")
    yield FileBatch(time, first, tuple(rows))


def _moment(number: int, cells: list[str]) -> datetime:
    if len(cells) != 4:
        raise _Malformed(number, f"{len(cells)} columns instead of 4")
    if not _MILLISECONDS.fullmatch(cells[0]):
        raise _Malformed(number, f"ts_utc_ms is not a whole number of milliseconds: {cells[0][:40]!r}")
    try:
        return EPOCH + timedelta(milliseconds=int(cells[0]))
    except OverflowError:
        raise _Malformed(number, f"ts_utc_ms is beyond the year 9999: {cells[0]}") from None


def _row(number: int, moment: datetime, cells: list[str]) -> QuoteRow:
    _, symbol, bid, ask = cells
    if not symbol or not symbol.isprintable():
        raise _Malformed(number, f"symbol is not a name: {symbol[:40]!r}")
    for column, text in (("bid", bid), ("ask", ask)):
        if not _NUMBER.fullmatch(text):
            raise _Malformed(number, f"{column} is not a number: {text[:40]!r}")
    return QuoteRow(moment, symbol, bid, ask)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Each line that is not blank, with its number from 1."""
    with _opened(path) as stream:
        number = 1
        while raw := _read_line(stream, number):
            if len(raw) == LINE_BYTES_MAX and not raw.endswith(b"\n"):
                raise _Malformed(number, f"the line is longer than {LINE_BYTES_MAX} bytes")
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError:
                raise _Malformed(number, "the line is not text") from None
            if text:
                yield number, text
            number += 1


def _read_line(stream: IO[bytes], number: int) -> bytes:
    try:
        return stream.readline(LINE_BYTES_MAX)
    except EOFError:
        raise _Malformed(number, "the gzip data is cut off") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _Malformed(number, f"the gzip data is damaged ({error})") from None


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes; gzip is known by its first two, whatever the file is called."""
    try:
        with path.open("rb") as raw:
            if raw.peek(2)[:2] != GZIP_MAGIC:
                yield raw
                return
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield unpacked  # type: ignore[misc]  # it reads like any binary file
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            raise
        raise Problem(f"cannot read {path}: {error.strerror or error}") from None
