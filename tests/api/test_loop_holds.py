"""Searches for a document within the limits that holds the event loop; it counts fields, not seconds.

`make abuse` runs the same search in milliseconds against a running desk.
"""

from collections.abc import Hashable
from itertools import islice
from typing import Any

import pytest
from graphql.pyutils import Path

from resolvers.main import schema
from schema.engine.executor import Executor
from schema.engine.fast_lists import batched_reads, list_compiler
from schema.engine.fast_lists.list_compiler import Fallback
from schema.engine.request_context import Context
from schema.engine.time_slices import TimeSlices
from services.principals import Principal, Role
from tests.abuse.documents import made
from tests.services.world import World, a_world, act

MANAGER = Principal(1, "search", Role.MANAGER, "acme")
TRADES, DOCUMENTS = 60, 10
FIELDS_MAX = (
    4 * list_compiler.PORTION_FIELDS
)  # a portion, one of what its rows lead to, and the first that is begun at once
ROOTS = {"account", "challenge", "challengeMetrics", "program"}


class Counted(TimeSlices):
    """Slices that are over at once; `fields` counts the fields answered in the current slice."""

    def __init__(self) -> None:
        super().__init__()
        self.fields = 0
        self.most = 0

    def is_over(self) -> bool:
        return True

    async def wait(self, client: Hashable) -> None:
        self.most, self.fields = max(self.most, self.fields), 0
        await super().wait(client)
        self.most, self.fields = max(self.most, self.fields), 0


class Counting:
    """A counter of the fields answered by the fast and the plain path."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slices = Counted()
        put, resolve = batched_reads.set_field, Executor.build_resolve_info

        def counted_put(answers: list[dict[str, Any]], name: str, values: Any) -> None:
            self.slices.fields += len(answers)
            put(answers, name, values)

        def counted_info(executor: Executor, field: Any, nodes: Any, parent: Any, path: Path) -> Any:
            self.slices.fields += 1
            return resolve(executor, field, nodes, parent, path)

        monkeypatch.setattr(list_compiler, "set_field", counted_put)
        monkeypatch.setattr(batched_reads, "set_field", counted_put)
        monkeypatch.setattr(Executor, "build_resolve_info", counted_info)

    async def most(self, text: str) -> int:
        """Return the most fields of the document that were answered in one slice."""
        self.slices.fields = self.slices.most = 0
        context = Context(None, MANAGER, slices=self.slices)  # type: ignore[arg-type] # nothing is subscribed to
        result = await schema.execute(text, None, context)
        codes = {(error.extensions or {}).get("code") for error in result.errors or ()}
        assert "INTERNAL" not in codes, text
        return max(self.slices.most, self.slices.fields)


async def a_history(database: str) -> tuple[World, int, int]:
    """Return a desk with a challenge and its account, which has traded."""
    world = await a_world(database)
    challenge, account = await world.buy()
    for number in range(TRADES):
        await act(account, "OPEN", action_id=f"o{number}", quantity="1000")
        await act(account, "CLOSE", action_id=f"c{number}")
    return world, challenge, account


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_document_answers_many_fields_at_a_stretch(
    database: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    world, challenge, account = await a_history(database)
    counting = Counting(monkeypatch)
    ids = dict.fromkeys(ROOTS, str(challenge)) | {"account": str(account), "program": str(world.program)}
    for text in islice(made(ids, seed), DOCUMENTS):
        assert await counting.most(text) <= FIELDS_MAX, text
    assert counting.slices.waits > DOCUMENTS * 20, "they were answered in many slices"


async def test_a_list_that_is_not_answered_by_columns_takes_one_item_at_a_stretch(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, account = await a_history(database)
    counting = Counting(monkeypatch)

    def fall_back(*_given: Any, **_named: Any) -> None:
        raise Fallback

    monkeypatch.setattr("schema.engine.fast_lists.list_answers.compile_items", fall_back)
    item = "seq kind amount balanceAfter marketTime recordedAt batch hash"
    text = f'{{ account(id: "{account}") {{ ledger(first: 1000) {{ nodes {{ {item} }} }} }} }}'
    most = await counting.most(text)
    assert counting.slices.waits > 4 * TRADES, "there were as many items"
    assert most <= 2 * len(item.split()), "of which two share a stretch at most"


async def test_the_schemas_own_lists_are_answered_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting(monkeypatch)
    most = await counting.most("{ __schema { types { name kind description fields { name description } } } }")
    assert counting.slices.waits > 1_000
    assert most <= 10
