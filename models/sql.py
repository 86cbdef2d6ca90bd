"""How rows go in and change: many as columns sent as arrays, so that no statement grows with them; a few as values.

A statement over values is made for so many rows, and takes the server half as long as one over arrays.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any, TypeAlias

import asyncpg

Connection: TypeAlias = asyncpg.Connection
Columns: TypeAlias = dict[str, str]
"""Column name to SQL type, in order."""

TYPED = frozenset({"text", "jsonb", "bytea"})
"""Values that travel as what they are. Any other travels as text, and so does every array: in a tenth of the time."""

FEW = 12
"""So many rows at most are sent as values; one action writes nine."""


@dataclass(frozen=True, slots=True, eq=False)
class Bulk:
    """A statement over any number of rows; `{rows}` in its text is where they come from, named by what follows it."""

    text: str
    kinds: tuple[str, ...]  # of the rows' columns


Part: TypeAlias = tuple[Bulk, Sequence[Sequence[Any]]]
"""A bulk statement with its rows."""


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def insert_statement(table: str, columns: Columns, suffix: str = "") -> Bulk:
    """Insert any number of rows."""
    text = f"insert into {table} ({_names(columns)}) select * from {{rows}} as n {suffix}"
    return Bulk(text, tuple(columns.values()))


def update_statement(table: str, keys: Sequence[str], columns: Columns, given: dict[str, str] | None = None) -> Bulk:
    """Update any number of rows found by `keys`, which are among the columns.

    `given` holds the expression of a column that is not simply what was sent; the rows sent are `n`.
    """
    expressions = {name: f'n."{name}"' for name in columns if name not in keys} | (given or {})
    changes = ", ".join(f'"{name}" = {expression}' for name, expression in expressions.items())
    match = " and ".join(f't."{key}" = n."{key}"' for key in keys)
    text = f"update {table} t set {changes} from {{rows}} as n ({_names(columns)}) where {match}"
    return Bulk(text, tuple(columns.values()))


def _values(kinds: Sequence[str], number: Iterator[int]) -> str:
    """The parameters of one row."""
    return ", ".join(f"${next(number)}::{kind if kind in TYPED else f'text::{kind}'}" for kind in kinds)


def _arrays(kinds: Sequence[str], number: Iterator[int]) -> str:
    """The parameters of many rows, a column each. JSON has no line breaks: its column is sent as lines, '' for NULL."""
    return ", ".join(
        f"string_to_array(${next(number)}::text, E'\\n', '')::jsonb[]"
        if kind == "jsonb"
        else f"${next(number)}::text::{kind}[]"
        for kind in kinds
    )


@lru_cache(maxsize=512)
def _together(bulks: tuple[Bulk, ...], sizes: tuple[int, ...]) -> str:
    """One statement that does what each of them says, none of them seeing what the others did.

    `sizes` are the numbers of rows to be sent as values; empty, they are sent as arrays.
    """
    texts, number = [], count(1)
    for place, bulk in enumerate(bulks):
        if sizes:
            rows = ", ".join(f"({_values(bulk.kinds, number)})" for _ in range(sizes[place]))
            texts.append(bulk.text.replace("{rows}", f"(values {rows})"))
        else:
            texts.append(bulk.text.replace("{rows}", f"unnest({_arrays(bulk.kinds, number)})"))
    *others, last = texts
    parts = ", ".join(f"part_{place} as ({text})" for place, text in enumerate(others))
    return f"with {parts} {last}" if others else last


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _hexadecimal(value: bytes) -> str:
    return f'"\\\\x{value.hex()}"'


_SPOKEN: Mapping[str, Callable[[Any], str]] = {
    "text": _quoted,
    "bytea": _hexadecimal,
    "timestamptz": lru_cache(maxsize=1024)(str),  # most rows of a transaction share theirs
}


def _array(kind: str, values: Sequence[Any]) -> str:
    """A column as the text of its parameter."""
    first = values[0]
    if first is values[-1] and values.count(first) == len(values):  # as half of the columns are: it is said once
        said = _said(kind, [first]) * len(values)
    else:
        said = _said(kind, values)
    return "\n".join(said) if kind == "jsonb" else "{" + ",".join(said) + "}"


def _said(kind: str, values: Sequence[Any]) -> list[str]:
    if kind == "jsonb":
        return [value or "" for value in values]
    spoken = _SPOKEN.get(kind, str)
    return ["NULL" if value is None else spoken(value) for value in values]


async def write(conn: Connection, bulk: Bulk, rows: Sequence[Sequence[Any]]) -> None:
    """Run a bulk statement, unless there is nothing to write."""
    await _run(conn, [(bulk, rows)] if rows else [])


async def write_together(conn: Connection, parts: Iterable[Part]) -> None:
    """Run bulk statements as one, those of them that have rows. Rows of one may refer to another's."""
    await _run(conn, [(bulk, rows) for bulk, rows in parts if rows])


async def _run(conn: Connection, parts: Sequence[Part]) -> None:
    if not parts:
        return
    bulks, sizes = tuple(bulk for bulk, _ in parts), tuple(len(rows) for _, rows in parts)
    if sum(sizes) <= FEW:
        values = [
            value if value is None or kind in TYPED else str(value)
            for bulk, rows in parts
            for row in rows
            for kind, value in zip(bulk.kinds, row, strict=True)
        ]
        await conn.execute(_together(bulks, sizes), *values)
    else:
        arrays = [
            _array(kind, column)
            for bulk, rows in parts
            for kind, column in zip(bulk.kinds, zip(*rows, strict=True), strict=True)
        ]
        await conn.execute(_together(bulks, ()), *arrays)
