"""The cache of checked operations: repeated operations skip the checks, and refusals stay refusals."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
import strawberry
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from resolvers.main import schema
from schema.engine.document_limits import DocumentLimits
from schema.engine.json_writer import dumps
from schema.engine.request_context import Context
from services.principals import Principal, Role
from services.telemetry import REGISTRY

MANAGER = Principal(1, "ready", Role.MANAGER, "ready")
ME = "query Ready { me { role } }"
SCHEMA = "query Ready { __schema { queryType { name } } }"
PAGE = "query Ready($first: Int!, $no: Boolean!) { challenges(first: $first) @skip(if: $no) { nodes { id } } }"


async def _answer(text: str, types: Iterable[OperationType] = tuple(OperationType), **given: Any) -> ExecutionResult:
    variables = given.pop("variables", None)
    context = Context(events=None, **{"bearer": MANAGER, **given})  # type: ignore[arg-type] # nothing is subscribed to
    return await schema.execute(text, variables, context, allowed_operation_types=types)


def _counted() -> float:
    labels = {"operation": "query", "field": "me"}
    return REGISTRY.get_sample_value("propdesk_request_seconds_count", labels) or 0


async def test_what_was_answered_is_executed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = await _answer(ME)
    monkeypatch.delattr(strawberry.Schema, "execute")
    counted = _counted()
    again = await _answer(ME)
    assert (again.data, again.errors, again.extensions) == ({"me": {"role": "MANAGER"}}, None, first.extensions)
    assert _counted() == counted + 1


async def test_who_asks_is_found_out_each_time() -> None:
    await _answer(ME)
    refused = await _answer(ME, bearer=None)
    assert [(error.extensions or {})["code"] for error in refused.errors or ()] == ["UNAUTHENTICATED"]


async def test_what_is_allowed_decides_again() -> None:
    assert not (await _answer(SCHEMA)).errors
    assert (await _answer(SCHEMA, allows_introspection=False)).errors
    assert (await _answer(SCHEMA, limits=DocumentLimits(depth=1))).errors
    with pytest.raises(InvalidOperationTypeError):
        await _answer(SCHEMA, [OperationType.MUTATION])


async def test_the_size_of_a_page_decides_again() -> None:
    allowed = DocumentLimits(cost=50)
    assert not (await _answer(PAGE, variables={"first": 10, "no": True}, limits=allowed)).errors
    refused = await _answer(PAGE, variables={"first": 100, "no": True}, limits=allowed)
    assert [(error.extensions or {})["limit"] for error in refused.errors or ()] == ["cost"]


@pytest.mark.parametrize("value", ["\ud800", 1 << 70, "Zürich", 1.5, None])
def test_whatever_is_answered_can_be_written(value: object) -> None:
    assert json.loads(dumps({"data": value})) == {"data": value}
