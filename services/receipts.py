"""Idempotent mutations: same key and content, same answer; same key and other content, a refusal.

The receipt is the transaction's first write, so a twin waits for it; a refusal rolls it back and leaves none.
"""

from decimal import Decimal
from typing import Any

from domain.errors import IdempotencyConflict, InvalidInput
from domain.ledger import canonical
from domain.money import plain
from models import receipts
from services.principals import Principal
from services.unit import Unit

KEY_LENGTH_MAX = 200


def _key(principal: Principal, operation: str, key: str) -> tuple[str, str, str, str]:
    return principal.brand or "", principal.actor, operation, key


async def claim(
    work: Unit, principal: Principal, operation: str, key: str, content: dict[str, Any]
) -> dict[str, Any] | None:
    """The stored answer to the same content, or None: go on. Raises IdempotencyConflict naming the field."""
    if not 1 <= len(key) <= KEY_LENGTH_MAX:
        raise InvalidInput("idempotencyKey", length_max=KEY_LENGTH_MAX, length=len(key))
    parsed = {name: plain(value) if isinstance(value, Decimal) else value for name, value in content.items()}
    place = _key(principal, operation, key)
    if await receipts.insert(work.conn, place, canonical(parsed)):
        return None
    stored, answer = await receipts.read(work.conn, place)
    for name, value in parsed.items():
        if stored.get(name) != value:
            raise IdempotencyConflict(name, first=stored.get(name), now=value)
    return answer


async def keep(work: Unit, principal: Principal, operation: str, key: str, answer: dict[str, Any]) -> None:
    """Store the answer beside the claim."""
    await receipts.answer(work.conn, _key(principal, operation, key), canonical(answer))
