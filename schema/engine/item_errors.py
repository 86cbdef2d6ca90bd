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
    """A text as it is; a JSON number as the shortest text that means it; NotText for everything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return plain(Decimal(repr(value))) if isfinite(value) else str(value)
    return NotText(json.dumps(value, default=_no_value))


def _no_value(_value: Any) -> None:
    """A variable within a literal has no value yet where the literal is validated."""


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


class _LiteralItems(Visitor):
    """Puts null in the place of each literal item that is neither an object nor a variable."""

    def enter_object_field(self, node: ObjectFieldNode, *_where: Any) -> ObjectFieldNode | None:
        items = node.value
        if node.name.value != ITEMS or not isinstance(items, ListValueNode):
            return None
        apart = tuple(
            item if isinstance(item, ObjectValueNode | VariableNode) else NullValueNode(loc=item.loc)
            for item in items.values
        )
        return ObjectFieldNode(name=node.name, value=ListValueNode(values=apart, loc=items.loc), loc=node.loc)


def without_invalid_literals(document: DocumentNode, text: str) -> DocumentNode:
    """The document, read from `text`, with null for each proposal that is no object; it is then refused by itself."""
    if not any(name in text for name in BATCH_FIELDS):
        return document
    apart: DocumentNode = visit(document, _LiteralItems())
    return apart


def without_invalid_items(document: DocumentNode, variables: dict[str, Any]) -> dict[str, Any]:
    """The variables with null for each proposal that is no object, which is then refused by itself."""
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
    """Each variable of the document's operations, with the name of its type and whether it is a list of that."""
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
