"""Receipts: what an idempotent mutation was asked and what it answered."""

import json
from typing import Any

from models.sql import Connection


async def claim_receipt(conn: Connection, key: tuple[str, str, str, str], content: str) -> bool:
    """Claim (brand, principal, operation, key). Waits for a twin that is under way; False where it has committed."""
    answer: str = await conn.execute(
        """insert into receipts (brand, principal, operation, key, content) values ($1, $2, $3, $4, $5)
        on conflict do nothing""",
        *key,
        content,
    )
    return answer.endswith(" 1")


async def read_receipt(conn: Connection, key: tuple[str, str, str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Content and answer of a committed receipt."""
    row = await conn.fetchrow(
        """select content, answer from receipts
        where brand = $1 and principal = $2 and operation = $3 and key = $4""",
        *key,
    )
    assert row, "the twin has committed"
    return json.loads(row["content"]), json.loads(row["answer"])


async def write_receipt_answer(conn: Connection, key: tuple[str, str, str, str], body: str) -> None:
    await conn.execute(
        """update receipts set answer = $5
        where brand = $1 and principal = $2 and operation = $3 and key = $4""",
        *key,
        body,
    )
