"""Receipts: the same key and content is the same answer, whoever comes second."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import IdempotencyConflict, InvalidInput, NotFound
from services import receipts
from services.unit_of_work.openings import transaction
from tests.services.world import CLIENT, MANAGER, value

CONTENT: dict[str, Any] = {"amount": Decimal("1.50"), "to": "bob"}


async def _ask(content: dict[str, Any] = CONTENT, *, key: str = "k1", answer: int = 1, who: Any = CLIENT) -> Any:
    """Do something under the key; the answer, or the stored one."""
    async with transaction() as work:
        if stored := await receipts.claim_key(work, who, "give", key, content):
            return stored
        await receipts.store_answer(work, who, "give", key, {"answer": answer})
    return {"answer": answer}


async def test_numbers_that_are_equal_are_the_same_content(database: str) -> None:
    await _ask(answer=7)
    for text in ("1.5", "1.50000", "15e-1"):
        assert await _ask({"amount": Decimal(text), "to": "bob"}) == {"answer": 7}


async def test_another_content_is_refused_naming_the_field_with_both_values(database: str) -> None:
    await _ask()
    with pytest.raises(IdempotencyConflict) as refused:
        await _ask({"amount": Decimal("1.51"), "to": "bob"})
    assert (refused.value.field, refused.value.facts) == ("amount", {"first": "1.5", "now": "1.51"})


async def test_a_key_belongs_to_one_bearer(database: str) -> None:
    assert await _ask(answer=1) == {"answer": 1}
    assert await _ask(answer=2, who=MANAGER) == {"answer": 2}
    assert await _ask(answer=3, who=replace(CLIENT, brand="other")) == {"answer": 3}
    assert await _ask(answer=4, who=replace(CLIENT, token_id=77)) == {"answer": 1}, "a new token of the same bearer"


async def test_of_many_at_once_one_does_it(database: str) -> None:
    answers = await asyncio.gather(*(_ask(answer=n) for n in range(50)))
    assert len({answer["answer"] for answer in answers}) == 1


async def test_a_refusal_leaves_no_receipt(database: str) -> None:
    async def refused() -> None:
        async with transaction() as work:
            await receipts.claim_key(work, CLIENT, "give", "k1", CONTENT)
            raise NotFound

    with pytest.raises(NotFound):
        await refused()
    assert await value("select count(*) from receipts") == 0
    assert await _ask({"amount": Decimal(2), "to": "carl"}, answer=2) == {"answer": 2}


async def test_a_key_that_cannot_be_kept_is_refused(database: str) -> None:
    for key in ("", "x" * 201, "a\0b", "\ud800"):
        with pytest.raises(InvalidInput) as refused:
            await _ask(key=key)
        assert refused.value.field == "idempotencyKey"
    with pytest.raises(InvalidInput) as refused:
        await _ask({"to": "b\0b"})
    assert refused.value.field == "to"
