"""Lists whose items are refused one by one: a wrong value refuses its item, not the whole request.

GraphQL refuses a whole request for one value of a wrong type. Here a value that is neither text nor a number is marked
as NotText and passed on, and the check of the item refuses it.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from math import isfinite
from typing import Any, NewType

import strawberry
from graphql import (
    DocumentNode,
    ListTypeNode,
    ListValueNode,
    NamedTypeNode,
    NonNullTypeNode,
    NullValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    visit,
)
from strawberry.types.scalar import ScalarDefinition

from domain.money import plain
from domain.proposals import NotText
from schema.engine.errors import BadUserInput

TextOrNumber = NewType("TextOrNumber", str)

ITEM = "DecisionActionInput"
BATCH = "SubmitDecisionActionsInput"
ITEMS = "actions"
BATCH_FIELDS = ("submitDecisionActions", "previewDecisionActions")


def text_of(value: Any) -> str:
    """Return a text unchanged, a JSON number as its shortest text, and NotText for any other value."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return plain(Decimal(repr(value))) if isfinite(value) else str(value)
    return NotText(json.dumps(value, default=_no_value))


def _no_value(_value: Any) -> None:
    """Return null for a variable within a literal: it has no value during validation."""


def _refuse(_value: Any) -> Any:
    raise BadUserInput("TextOrNumber can only be sent, not selected.")


LENIENT_SCALARS: dict[object, ScalarDefinition] = {
    TextOrNumber: strawberry.scalar(
        name="TextOrNumber",
        description='Text or number; a number is read as its text: 1000 is "1000". Send long fractions as text. '
        "Any other value refuses only its own item, not the request.",
        serialize=_refuse,
        parse_value=text_of,
    ),
}


class _LiteralItems(Visitor):
    """A visitor that replaces each literal item by null, except objects and variables."""

    def enter_object_field(self, node: ObjectFieldNode, *_where: Any) -> ObjectFieldNode | None:
        items = node.value
        if node.name.value != ITEMS or not isinstance(items, ListValueNode):
            return None
        replaced = tuple(
            item if isinstance(item, ObjectValueNode | VariableNode) else NullValueNode(loc=item.loc)
            for item in items.values
        )
        return ObjectFieldNode(name=node.name, value=ListValueNode(values=replaced, loc=items.loc), loc=node.loc)


def without_invalid_literals(document: DocumentNode, text: str) -> DocumentNode:
    """Return the document with null for each action that is no object, which is then refused alone.

    `text` is the document's text.
    """
    if not any(name in text for name in BATCH_FIELDS):
        return document
    replaced: DocumentNode = visit(document, _LiteralItems())
    return replaced


def without_invalid_items(document: DocumentNode, variables: dict[str, Any]) -> dict[str, Any]:
    """Return the variables with null for each action that is no object, which is then refused alone."""
    changed: dict[str, Any] = {}
    for name, kind, is_list in declared_variables(document):
        value = variables.get(name)
        if kind == BATCH and isinstance(value, dict) and isinstance(value.get(ITEMS), list):
            changed[name] = value | {ITEMS: _objects(value[ITEMS])}
        elif kind == ITEM and is_list and isinstance(value, list):
            changed[name] = _objects(value)
        elif kind == ITEM and not is_list and name in variables:
            (changed[name],) = _objects([value])
    return variables | changed if changed else variables


def declared_variables(document: DocumentNode) -> Iterator[tuple[str, str, bool]]:
    """Yield each variable of the document's operations: name, name of its innermost type, and whether it is a list."""
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            for one in node.variable_definitions or ():
                kind, is_list = one.type, False
                while not isinstance(kind, NamedTypeNode):
                    assert isinstance(kind, ListTypeNode | NonNullTypeNode), "GraphQL has no other types"
                    is_list = is_list or isinstance(kind, ListTypeNode)
                    kind = kind.type
                yield one.variable.name.value, kind.name.value, is_list


def _objects(items: list[Any]) -> list[Any]:
    return [item if isinstance(item, dict) else None for item in items]
