"""Receipts of idempotent mutations: the same key and content return the same answer, other content is refused.

The receipt is the transaction's first write, so a duplicate waits for it; a refusal rolls it back.
"""

from decimal import Decimal
from typing import Any

from domain.errors import IdempotencyConflict, InvalidInput
from domain.ledger import canonical
from domain.money import plain
from domain.validation import text_fault
from models import receipts
from services.principals import Principal
from services.unit_of_work.unit import UnitOfWork

TEXT_MAX = 200  # characters, of the key, and of a text that it stands for


def _key(principal: Principal, operation: str, key: str) -> tuple[str, str, str, str]:
    return principal.brand or "", principal.actor, operation, key


def _check_text(field: str, text: str, *, empty: bool = False) -> None:
    if fault := text_fault(text, TEXT_MAX, empty=empty):
        raise InvalidInput(field, reason=fault)


async def claim_key(
    work: UnitOfWork, principal: Principal, operation: str, key: str, content: dict[str, Any]
) -> dict[str, Any] | None:
    """Return the stored answer to the same content, or None to go on.

    Raises IdempotencyConflict, naming the field that differs; InvalidInput for a value that cannot be stored.
    """
    _check_text("idempotencyKey", key)
    for name, value in content.items():
        if isinstance(value, str):
            _check_text(name, value, empty=True)
    parsed = {name: plain(value) if isinstance(value, Decimal) else value for name, value in content.items()}
    place = _key(principal, operation, key)
    if await receipts.claim_receipt(work.conn, place, canonical(parsed)):
        return None
    stored, answer = await receipts.read_receipt(work.conn, place)
    for name, value in parsed.items():
        if stored.get(name) != value:
            raise IdempotencyConflict(name, first=stored.get(name), now=value)
    return answer


async def store_answer(
    work: UnitOfWork, principal: Principal, operation: str, key: str, answer: dict[str, Any]
) -> None:
    """Store the answer with the claim."""
    await receipts.write_receipt_answer(work.conn, _key(principal, operation, key), canonical(answer))
