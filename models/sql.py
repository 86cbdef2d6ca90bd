"""Bulk inserts and updates. Many rows are sent as one array a column, so that the statement does not grow with them.

Few rows are sent as a VALUES list, which takes the server half as long.
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
"""Types whose values are sent as they are. All others, and every array, are sent as text, in a tenth of the time."""

FEW = 12
"""The most rows that are sent as a VALUES list. One action writes nine."""


@dataclass(frozen=True, slots=True, eq=False)
class Bulk:
    """A statement over any number of rows. `{rows}` in its text is replaced by their source; the alias follows it."""

    text: str
    kinds: tuple[str, ...]  # the SQL types of the rows' columns


Part: TypeAlias = tuple[Bulk, Sequence[Sequence[Any]]]
"""A bulk statement with its rows."""


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def insert_statement(table: str, columns: Columns, suffix: str = "") -> Bulk:
    """Return an insert of any number of rows."""
    text = f"insert into {table} ({_names(columns)}) select * from {{rows}} as n {suffix}"
    return Bulk(text, tuple(columns.values()))


def update_statement(table: str, keys: Sequence[str], columns: Columns, computed: dict[str, str] | None = None) -> Bulk:
    """Return an update of any number of rows, found by `keys`, which are among the columns.

    `computed`: by column an expression to set instead of the value sent; the rows sent are `n`.
    """
    expressions = {name: f'n."{name}"' for name in columns if name not in keys} | (computed or {})
    changes = ", ".join(f'"{name}" = {expression}' for name, expression in expressions.items())
    match = " and ".join(f't."{key}" = n."{key}"' for key in keys)
    text = f"update {table} t set {changes} from {{rows}} as n ({_names(columns)}) where {match}"
    return Bulk(text, tuple(columns.values()))


def _values(kinds: Sequence[str], number: Iterator[int]) -> str:
    """Return the parameters of one row."""
    return ", ".join(f"${next(number)}::{kind if kind in TYPED else f'text::{kind}'}" for kind in kinds)


def _arrays(kinds: Sequence[str], number: Iterator[int]) -> str:
    """Return one parameter for each column. JSON has no line breaks: a column of it is sent as lines, '' for NULL."""
    return ", ".join(
        f"string_to_array(${next(number)}::text, E'\\n', '')::jsonb[]"
        if kind == "jsonb"
        else f"${next(number)}::text::{kind}[]"
        for kind in kinds
    )


@lru_cache(maxsize=512)
def _combined(bulks: tuple[Bulk, ...], sizes: tuple[int, ...]) -> str:
    """Return one statement that executes all, none of which sees the changes of the others.

    `sizes`: the number of rows of each for a VALUES list; empty for arrays.
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


_ENCODERS: Mapping[str, Callable[[Any], str]] = {
    "text": _quoted,
    "bytea": _hexadecimal,
    "timestamptz": lru_cache(maxsize=1024)(str),  # most rows of a transaction have the same
}


def _array(kind: str, values: Sequence[Any]) -> str:
    """Return a column as the text of an array parameter."""
    first = values[0]
    if first is values[-1] and values.count(first) == len(values):  # as in half of the columns: encoded once
        texts = _texts(kind, [first]) * len(values)
    else:
        texts = _texts(kind, values)
    return "\n".join(texts) if kind == "jsonb" else "{" + ",".join(texts) + "}"


def _texts(kind: str, values: Sequence[Any]) -> list[str]:
    if kind == "jsonb":
        return [value or "" for value in values]
    encode = _ENCODERS.get(kind, str)
    return ["NULL" if value is None else encode(value) for value in values]


async def write(conn: Connection, bulk: Bulk, rows: Sequence[Sequence[Any]]) -> None:
    """Execute a bulk statement, unless there are no rows."""
    await _run(conn, [(bulk, rows)] if rows else [])


async def write_together(conn: Connection, parts: Iterable[Part]) -> None:
    """Execute the bulk statements that have rows as one statement. Rows of one may refer to rows of another."""
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
        await conn.execute(_combined(bulks, sizes), *values)
    else:
        arrays = [
            _array(kind, column)
            for bulk, rows in parts
            for kind, column in zip(bulk.kinds, zip(*rows, strict=True), strict=True)
        ]
        await conn.execute(_combined(bulks, ()), *arrays)
