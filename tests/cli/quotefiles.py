"""Quote files made for a test, and what the reader makes of them."""

from datetime import datetime
from pathlib import Path

import pytest

from cli.quotefile import FileBatch, Options, QuoteFiles
from config.errors import Problem

HEADER = "ts_utc_ms,symbol,bid,ask"
FIRST = 1_772_409_600_000  # 2 March 2026, midnight UTC, in milliseconds


def a_file(directory: Path, content: str | bytes, name: str = "quotes.csv") -> Path:
    """A file of this content."""
    path = directory / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def own(*rows: str) -> str:
    """A file of our own layout; each row begins with the milliseconds since `FIRST`."""
    cells = [row.partition(",") for row in rows]
    return "\n".join([HEADER, *(f"{FIRST + int(ms)},{rest}" for ms, _, rest in cells)]) + "\n"


def read(path: Path, options: Options | None = None) -> list[FileBatch]:
    """Every batch of the file."""
    return list(QuoteFiles([path], options).batches())


def quotes(path: Path, options: Options | None = None) -> list[tuple[str, str, str, str]]:
    """Every quote of the file: its time in UTC as `02T09:00:00`, symbol, bid and ask."""
    return [(_shown(row.time), row.symbol, row.bid, row.ask) for batch in read(path, options) for row in batch.rows]


def _shown(moment: datetime) -> str:
    assert moment.tzinfo is not None
    return moment.isoformat()[8:].removesuffix("+00:00").removesuffix("000")


def refusal(path: Path, options: Options | None = None) -> str:
    """Why the file is refused."""
    with pytest.raises(Problem) as problem:
        QuoteFiles([path], options)
    return str(problem.value)
