"""A connection whose statement was cancelled serves the next statement as a new connection would."""

import asyncio
from typing import Any

import pytest

from config.database import pool
from services.unit_of_work.reads import read_connection, read_snapshot


async def test_a_statement_that_is_cancelled_between_its_two_parts_leaves_no_transaction_to_the_next(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = [await pool().acquire() for _ in range(9)]  # all but one: the same is had again
    async with read_connection() as conn:
        kind: Any = type(conn._con)  # noqa: SLF001 - the connection itself
        statement = kind._get_statement  # noqa: SLF001 - its first part
        parted = asyncio.Event()

        async def first_part(self: Any, *given: Any, **named: Any) -> Any:
            answer = await statement(self, *given, **named)
            parted.set()
            await asyncio.Event().wait()
            return answer

        with monkeypatch.context() as patched:
            patched.setattr(kind, "_get_statement", first_part)
            asking = asyncio.create_task(conn.fetchval("select 41 + $1::int", 1))
            await parted.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
    async with read_snapshot() as conn:
        assert await conn.fetchval("select 41 + $1::int", 1) == 42
    for one in connections:
        await pool().release(one)


async def test_a_statement_that_fails_is_nobody_elses(database: str) -> None:
    connections = [await pool().acquire() for _ in range(9)]
    for text in ("select 1 / $1::int", "select nothing"):
        async with read_connection() as conn:
            with pytest.raises(Exception, match=r"zero|nothing"):
                await conn.fetchval(text, *([0] if "$" in text else []))
        async with read_snapshot() as conn:
            assert await conn.fetchval("select 1") == 1
    for one in connections:
        await pool().release(one)
