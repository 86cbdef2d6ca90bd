"""A search for a document within the limits that holds the event loop: counted in fields, not in seconds.

The same search in milliseconds, against a running desk, is a part of `make abuse`.
"""

from collections.abc import Hashable
from itertools import islice
from typing import Any

import pytest
from graphql.pyutils import Path

from resolvers.main import schema
from schema import columns, reads
from schema.context import Context
from schema.executing import Executor
from schema.slices import TimeSlices
from services.principals import Principal, Role
from tests.abuse.documents import made
from tests.services.world import a_world, act

MANAGER = Principal(1, "search", Role.MANAGER, "acme")
TRADES, DOCUMENTS = 60, 10
FIELDS_MAX = 4 * columns.PORTION_FIELDS  # a portion, one of what its rows lead to, and the first that is begun at once
ROOTS = {"account", "challenge", "challengeMetrics", "program"}


class Counted(TimeSlices):
    """Slices that are over at once; `fields` counts what is answered until somebody waits for the next."""

    def __init__(self) -> None:
        super().__init__()
        self.fields = 0
        self.most = 0

    def is_over(self) -> bool:
        return True

    async def next(self, bearer: Hashable) -> None:
        self.most, self.fields = max(self.most, self.fields), 0
        await super().next(bearer)
        self.most, self.fields = max(self.most, self.fields), 0


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_document_answers_many_fields_at_a_stretch(
    database: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    for number in range(TRADES):
        await act(account, "OPEN", action_id=f"o{number}", quantity="1000")
        await act(account, "CLOSE", action_id=f"c{number}")
    slices, put, resolve = Counted(), reads.put, Executor.build_resolve_info

    def counted_put(answers: list[dict[str, Any]], name: str, values: Any) -> None:
        slices.fields += len(answers)
        put(answers, name, values)

    def counted_info(self: Executor, field: Any, nodes: Any, parent: Any, path: Path) -> Any:
        slices.fields += 1
        return resolve(self, field, nodes, parent, path)

    monkeypatch.setattr(columns, "put", counted_put)
    monkeypatch.setattr(reads, "put", counted_put)
    monkeypatch.setattr(Executor, "build_resolve_info", counted_info)
    ids = dict.fromkeys(ROOTS, str(challenge)) | {"account": str(account), "program": str(world.program)}
    answered = 0
    for text in islice(made(ids, seed), DOCUMENTS):
        slices.fields = slices.most = 0
        context = Context(None, MANAGER, slices=slices)  # type: ignore[arg-type] # nothing is subscribed to
        result = await schema.execute(text, None, context)
        codes = {(error.extensions or {}).get("code") for error in result.errors or ()}
        assert "INTERNAL" not in codes, text
        assert max(slices.most, slices.fields) <= FIELDS_MAX, text
        answered += slices.waits
    assert answered > DOCUMENTS * 20, "they were answered in many slices"
