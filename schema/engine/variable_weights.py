"""What a document's variables weigh: one that many fields use weighs as often as it is used.

A variable of 25 KB that each of 25 root fields proposes to another account is as much work as 625 KB of text.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)

from schema.engine.document_limits import DocumentLimits, LimitExceeded
from schema.engine.item_errors import ITEM, ITEMS, declared_variables

QUOTES = ("IngestQuotesInput", "QuoteList")  # types that hold nothing but quotes

VariableUses = tuple[tuple[str, int, int], ...]
"""Name, number of uses and characters of the default, of each variable that a document uses more than once."""


def repeated_variables(document: DocumentNode, name: str | None) -> VariableUses:
    """Return the variables that the operation of this name, or every operation, uses more than once.

    The document's fragments spread in no circle, or what is left out of one is refused by validation.
    """
    fragments = [node for node in document.definitions if isinstance(node, FragmentDefinitionNode)]
    operations = [
        node
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode) and name in (None, node.name and node.name.value)
    ]
    inside = {node.name.value: _inside(node.selection_set) for node in fragments}
    uses, waiting = Counter[str](), Counter[str]()
    for node in operations:
        variables, spreads = _inside(node.selection_set)
        uses += variables
        waiting += spreads
    for fragment in _outermost_first(inside):
        variables, spreads = inside[fragment]
        times = waiting[fragment]
        for found, many in ((uses, variables), (waiting, spreads)):
            for key, count in many.items():
                found[key] += times * count
    defaults = {
        one.variable.name.value: one.default_value.loc.end - one.default_value.loc.start
        for node in operations
        for one in node.variable_definitions or ()
        if one.default_value is not None and one.default_value.loc is not None
    }
    return tuple((key, many, defaults.get(key, 0)) for key, many in uses.items() if many > 1)


def excess_error(
    document: DocumentNode, uses: VariableUses, variables: Mapping[str, Any] | None, allowed: DocumentLimits
) -> LimitExceeded | None:
    """Return the error of a request whose variables are too much, if they are.

    They are weighed by the characters of the repeated ones, and counted: graphql-core reads each value by itself, in a
    microsecond or more, and of objects in a list those that are left out as well. Quotes are one scalar, and actions
    have a limit of their own.
    """
    given = variables or {}
    weight = sum(many * (_size(given[key]) if key in given else default) for key, many, default in uses)
    if weight > allowed.variables:
        return LimitExceeded("variables", allowed.variables, weight)
    if _count(given, allowed.items) <= allowed.items:
        return None  # as nearly always
    kinds = {name: kind for name, kind, _ in declared_variables(document)}
    others = {name: value for name, value in given.items() if kinds.get(name) not in QUOTES}
    if (values := _count(others, allowed.values)) > allowed.values:
        return LimitExceeded("values", allowed.values, values)
    items = _longest({f"${name}": value for name, value in others.items() if kinds.get(name) != ITEM})
    return LimitExceeded("items", allowed.items, items) if items > allowed.items else None


def _longest(variables: Mapping[str, Any]) -> int:
    """Return the number of objects in the longest list of the variables. Lists of actions do not count."""
    longest, waiting = 0, [variables]
    while waiting:
        for name, value in waiting.pop().items():
            if isinstance(value, dict):
                waiting.append(value)
            elif isinstance(value, list) and name != ITEMS:
                objects = [one for one in value if isinstance(one, dict)]
                longest = max(longest, len(objects))
                waiting += objects
    return longest


def _count(value: Any, most: int) -> int:
    """How many values are in it, without looking at more than a list of them beyond `most`."""
    many, waiting = 0, [value]
    while waiting and many <= most:
        inner = waiting.pop()
        if isinstance(inner, dict | list):
            many += len(inner)
            waiting += inner.values() if isinstance(inner, dict) else inner
    return many


def _size(value: object) -> int:
    """How long the value is as JSON."""
    try:
        return len(orjson.dumps(value))
    except TypeError:  # a number beyond 64 bits, or half a character
        return len(json.dumps(value))


def _outermost_first(inside: Mapping[str, tuple[Counter[str], Counter[str]]]) -> Sequence[str]:
    """Return the fragments so that each comes before those that it spreads."""
    ordered: dict[str, None] = {}
    seen: set[str] = set()

    def visit(name: str) -> None:
        if name in inside and name not in seen:
            seen.add(name)
            for inner in inside[name][1]:
                visit(inner)
            ordered[name] = None

    for name in inside:
        visit(name)
    return list(reversed(ordered))


def _inside(selections: SelectionSetNode | None) -> tuple[Counter[str], Counter[str]]:
    """Return how often each variable is used, and each fragment spread, within the selections themselves."""
    variables, spreads = Counter[str](), Counter[str]()
    waiting = [selections]
    while waiting:
        node = waiting.pop()
        for part in node.selections if node else ():
            values = [argument.value for directive in part.directives or () for argument in directive.arguments or ()]
            if isinstance(part, FieldNode):
                values += [argument.value for argument in part.arguments or ()]
            if isinstance(part, FragmentSpreadNode):
                spreads[part.name.value] += 1
            else:
                waiting.append(part.selection_set)  # type: ignore[attr-defined] # of a field or an inline fragment
            variables.update(_variables(values))
    return variables, spreads


def _variables(values: Iterable[ValueNode]) -> Iterator[str]:
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, VariableNode):
            yield value.name.value
        elif isinstance(value, ListValueNode):
            waiting += value.values
        elif isinstance(value, ObjectValueNode):
            waiting += (field.value for field in value.fields)
