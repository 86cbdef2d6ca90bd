"""Lists whose items are judged one by one: what is wrong with an item is that item's refusal, not the request's.

GraphQL refuses a whole request for one value of another type. Here a value that is neither text nor a number is carried
on as it is, and whoever judges the item refuses it.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from math import isfinite
from typing import Any, NewType

import strawberry
from graphql import DocumentNode, NamedTypeNode, OperationDefinitionNode
from strawberry.types.scalar import ScalarDefinition

from domain.money import plain
from domain.proposals import NotText
from schema.errors import BadUserInput

TextOrNumber = NewType("TextOrNumber", str)

ITEM = "DecisionActionInput"
BATCH = "SubmitDecisionActionsInput"
ITEMS = "actions"


def text_of(value: Any) -> str:
    """A text as it is; a JSON number as the shortest text that means it; NotText for everything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return plain(Decimal(repr(value))) if isfinite(value) else str(value)
    return NotText(json.dumps(value))


def _refuse(_value: Any) -> Any:
    raise BadUserInput("TextOrNumber is only taken in.")


LENIENT_SCALARS: dict[object, ScalarDefinition] = {
    TextOrNumber: strawberry.scalar(
        name="TextOrNumber",
        description='Text, or a number, which is read as its text: 1000 is "1000". Send long fractions as text. '
        "Any other value is accepted here and refused with the item it belongs to.",
        serialize=_refuse,
        parse_value=text_of,
    ),
}


def with_items_apart(document: DocumentNode, variables: dict[str, Any]) -> dict[str, Any]:
    """The variables with null for each proposal that is no object, which is then refused by itself."""
    if not any(isinstance(value, dict | list) for value in variables.values()):
        return variables
    changed: dict[str, Any] = {}
    for name, kind in _declared(document):
        value = variables.get(name)
        if kind == BATCH and isinstance(value, dict) and isinstance(value.get(ITEMS), list):
            changed[name] = value | {ITEMS: _objects(value[ITEMS])}
        elif kind == ITEM and isinstance(value, list):
            changed[name] = _objects(value)
    return variables | changed if changed else variables


def _declared(document: DocumentNode) -> Iterator[tuple[str, str]]:
    """Each variable of the document's operations, with the name of its type."""
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            for one in node.variable_definitions or ():
                kind: Any = one.type
                while not isinstance(kind, NamedTypeNode):
                    kind = kind.type  # of a list, or of what may not be null
                yield one.variable.name.value, kind.name.value


def _objects(items: list[Any]) -> list[Any]:
    return [item if isinstance(item, dict) else None for item in items]
