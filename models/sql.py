"""How rows go in and change in bulk: one statement whose length does not grow, its columns sent as arrays."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import asyncpg

Connection: TypeAlias = asyncpg.Connection
Columns: TypeAlias = dict[str, str]
"""Column name to SQL type, in order."""


def _arrays(columns: Columns) -> str:
    return ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(columns.values(), 1))


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def insert_statement(table: str, columns: Columns, suffix: str = "") -> str:
    """Insert any number of rows."""
    return f"insert into {table} ({_names(columns)}) select * from unnest({_arrays(columns)}) {suffix}"


def update_statement(table: str, keys: Sequence[str], columns: Columns) -> str:
    """Update any number of rows found by `keys`, which are among the columns."""
    changes = ", ".join(f'"{name}" = n."{name}"' for name in columns if name not in keys)
    match = " and ".join(f't."{key}" = n."{key}"' for key in keys)
    return f"update {table} t set {changes} from unnest({_arrays(columns)}) as n ({_names(columns)}) where {match}"


def transpose(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows of `width` values to columns."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


async def write(conn: Connection, statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run a bulk statement, unless there is nothing to write."""
    if rows:
        await conn.execute(statement, *transpose(rows, len(rows[0])))
