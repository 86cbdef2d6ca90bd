"""Quotes as a file holds them. What a quote is worth the desk decides, so bid and ask stay text."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class QuoteRow:
    """One quote; bid and ask are the text of any number, `NaN` among them."""

    time: datetime
    symbol: str
    bid: str
    ask: str


class FileQuote(NamedTuple):
    """A quote and the line of the file it stands in, from 1."""

    line: int
    quote: QuoteRow


@dataclass(frozen=True, slots=True)
class FileBatch:
    """All quotes of one time, of all files, in the order of the files and their lines."""

    time: datetime
    rows: tuple[QuoteRow, ...]


class BadRow(Exception):
    """A line that cannot be used, and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason
