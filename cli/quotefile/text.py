"""The lines of a quote file and the cells of a line: whatever the encoding, the delimiter and the quoting."""

import csv
import re
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from typing import IO

from cli.quotefile.numbers import NUMBER
from cli.quotefile.rows import BadRow
from cli.quotefile.sources import DAMAGES

LINE_LENGTH_MAX = 10_000  # a chart with many indicators has long lines; a binary file may have no line end at all
DELIMITERS = ("\t", ";", "|", ",")  # in this order: a comma may be a decimal point, the others are nothing else

_EMPTY = " \t;|,"  # a line of nothing else has no cell with anything in it
_CELL_ENDS = re.compile("[\t;|,]")
_BROKEN = re.compile("[\ud800-\udfff\ufffd]")  # what the decoders put in the place of bytes that are no text


def lines(stream: IO[bytes]) -> Iterator[tuple[int, str]]:
    """Each line that holds something, with its number from 1; comments and Excel's `sep=;` are left out.

    Raises BadRow where the bytes are no text, or the packed data are cut off or damaged.
    """
    number = 0
    try:
        for number, line in enumerate(_raw_lines(stream), 1):
            if len(line) >= LINE_LENGTH_MAX and not line.endswith("\n"):
                raise BadRow(number, f"the line is longer than {LINE_LENGTH_MAX:,} characters")
            if not line.isascii() and _BROKEN.search(line):
                raise BadRow(number, "the line is not text")
            text = line.strip("\r\n ")
            if text.strip(_EMPTY) and not _is_comment(number, text):
                yield number, text
    except EOFError:
        raise BadRow(number + 1, "the packed data are cut off") from None
    except DAMAGES as error:
        raise BadRow(number + 1, f"the packed data are damaged ({error})") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise BadRow(number + 1, f"the packed data are damaged ({error})") from None  # as bz2 says it


def _is_comment(number: int, text: str) -> bool:
    """A line that begins with # is a comment, unless it is a row of a symbol such as #AAPL: a word, then numbers."""
    if text[0] == "#":
        word, *cells = _CELL_ENDS.split(text)
        numbers = sum(bool(NUMBER.fullmatch(cell.strip(' "'))) for cell in cells)
        return len(cells) < 2 or not numbers or len(word.split()) > 1 or word == "#"
    return number == 1 and text.lower().startswith("sep=")


def _raw_lines(stream: IO[bytes]) -> Iterator[str]:
    encoding = _encoding(stream.peek(64)[:64])  # type: ignore[attr-defined]  # buffered readers have it
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    with TextIOWrapper(stream, encoding, errors) as text:
        while line := text.readline(LINE_LENGTH_MAX):
            yield line


def _encoding(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if not head.startswith(b"\x00") and head[1::2].count(0) > len(head) // 4:
        return "utf-16-le"
    if head[::2].count(0) > len(head) // 4:
        return "utf-16-be"
    return "utf-8-sig"


def delimiter_of(texts: Sequence[str]) -> str:
    """What separates the cells of every one of the lines; a comma where nothing does."""
    for delimiter in DELIMITERS:
        if texts and all(delimiter in text for text in texts):
            return delimiter
    return ","


def cells_of(number: int, text: str, delimiter: str) -> list[str]:
    """The cells of a line, without spaces around them. Raises BadRow for quotes that do not match."""
    if '"' not in text:
        return [cell.strip() for cell in text.split(delimiter)]
    try:
        (cells,) = csv.reader([text], delimiter=delimiter, skipinitialspace=True, strict=True)
    except (csv.Error, ValueError):
        raise BadRow(number, f"the quotation marks do not match: {text[:40]!r}") from None
    return [cell.strip() for cell in cells]
