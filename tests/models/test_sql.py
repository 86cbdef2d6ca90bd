"""Inserts and updates have the same result for few rows, sent as values, and for many, sent as arrays."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from config.database import connection
from models import sql
from models.sql import FEW

COLUMNS: sql.Columns = {
    "id": "bigint",
    "word": "text",
    "facts": "jsonb",
    "hash": "bytea",
    "amount": "numeric",
    "at": "timestamptz",
    "day": "date",
    "flag": "boolean",
    "level": "smallint",
}
TABLE = f"""
create temporary table things ({", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())}, primary key (id));
create temporary table parts (id bigint primary key, thing bigint not null references things (id));
"""
INSERT = sql.insert_statement("things", COLUMNS)
UPDATE = sql.update_statement("things", ["id"], COLUMNS, {"word": "n.word || '!'"})
PARTS = sql.insert_statement("parts", {"id": "bigint", "thing": "bigint"})
WORDS = [
    "plain",
    "",
    " ",
    "NULL",
    "null",
    '"',
    "'",
    "\\",
    '\\"',
    "{",
    "}",
    "{1,2}",
    ",",
    "a,b",
    "$1",
    "%s",
    "\n\t",
    "è 漢 🎲",
]
AMOUNTS = [Decimal(text) for text in ("0", "-0", "1E-8", "-1E+5", "12345678901234567890.12345678", "0.00000001")]
TIMES = [
    datetime(2026, 3, 2, 12, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 3, 2, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=-5, minutes=-30))),
]


def _row(number: int) -> tuple[Any, ...]:
    """Return the nth row: every hostile text in turn, and some nulls in the other columns."""
    word = WORDS[number % len(WORDS)]
    values = (
        word,
        '{"said": "\\"{}, \\\\"}',
        bytes([number % 256, 0, 255]) + word.encode(),
        AMOUNTS[number % len(AMOUNTS)],
        TIMES[number % len(TIMES)],
        date(2026, 2, 28) + timedelta(days=number),
        number % 2 == 0,
        -number,
    )
    return number, *(None if (number + place) % 7 == 0 else value for place, value in enumerate(values))


async def _stored(conn: asyncpg.Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await conn.fetch("select * from things order by id")]


@pytest.mark.parametrize("many", [1, 3, FEW, FEW + 1, 5 * len(WORDS)])
async def test_what_was_sent_is_what_is_stored(empty_database: str, many: int) -> None:
    rows = [_row(number) for number in range(many)]
    async with connection(empty_database) as conn:
        await conn.execute(TABLE)
        await sql.write(conn, INSERT, rows)
        assert await _stored(conn) == rows
        await sql.write(conn, UPDATE, [(row[0], "new", *row[2:]) for row in rows])
        assert await _stored(conn) == [(row[0], "new!", *row[2:]) for row in rows]


async def test_a_column_may_say_the_same_throughout_or_only_at_its_ends(empty_database: str) -> None:
    one, other = _row(1)[1:], _row(2)[1:]
    between = [one] * FEW + [other, one]
    async with connection(empty_database) as conn:
        await conn.execute(TABLE)
        for values in ([one] * len(between), between, [(None,) * len(one)] * len(between)):
            rows = [(number, *each) for number, each in enumerate(values)]
            await sql.write(conn, INSERT, rows)
            assert await _stored(conn) == rows
            await conn.execute("delete from things")


@pytest.mark.parametrize("many", [2, FEW])
async def test_rows_written_together_may_refer_to_each_other(empty_database: str, many: int) -> None:
    rows = [_row(number) for number in range(many)]
    async with connection(empty_database) as conn:
        await conn.execute(TABLE)
        await sql.write_together(conn, [(PARTS, [(row[0], row[0]) for row in rows]), (UPDATE, []), (INSERT, rows)])
        assert await _stored(conn) == rows
        assert await conn.fetchval("select count(*) from parts") == many
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await sql.write_together(conn, [(PARTS, [(100, 100)]), (INSERT, [_row(many)])])
        assert await _stored(conn) == rows


async def test_nothing_to_write_is_no_statement(empty_database: str) -> None:
    async with connection(empty_database) as conn:
        await sql.write_together(conn, [(INSERT, []), (UPDATE, [])])  # there are no such tables
        await sql.write(conn, INSERT, [])
