"""Receipts: request and answer of mutations with an idempotency key."""

import json
from typing import Any

from models.sql import Connection


async def claim_receipt(conn: Connection, key: tuple[str, str, str, str], content: str) -> bool:
    """Insert a receipt for (brand, principal, operation, key); return False if one is committed already.

    Waits for the end of another request with the same key.
    """
    tag: str = await conn.execute(
        """insert into receipts (brand, principal, operation, key, content) values ($1, $2, $3, $4, $5)
        on conflict do nothing""",
        *key,
        content,
    )
    return tag.endswith(" 1")


async def read_receipt(conn: Connection, key: tuple[str, str, str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return content and answer of a committed receipt."""
    row = await conn.fetchrow(
        """select content, answer from receipts
        where brand = $1 and principal = $2 and operation = $3 and key = $4""",
        *key,
    )
    assert row, "the receipt is committed"
    return json.loads(row["content"]), json.loads(row["answer"])


async def write_receipt_answer(conn: Connection, key: tuple[str, str, str, str], body: str) -> None:
    """Write the answer of a receipt, as JSON text."""
    await conn.execute(
        """update receipts set answer = $5
        where brand = $1 and principal = $2 and operation = $3 and key = $4""",
        *key,
        body,
    )
