"""The limits of the size of a document's variables; a variable counts once for each of its uses.

A variable of 25 KB that 25 root fields use is as much work as 625 KB of text.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    ListValueNode,
    ObjectValueNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)

from schema.engine.document_limits import DocumentLimits, LimitExceeded, fragments_of, operations_of
from schema.engine.item_errors import ITEM, ITEMS, declared_variables

QUOTES = ("IngestQuotesInput", "QuoteList")  # input types that hold only quotes

VariableUses = tuple[tuple[str, int, int], ...]
"""Name, number of uses, and length of the default of each variable that a document uses more than once."""


def repeated_variables(document: DocumentNode, name: str | None) -> VariableUses:
    """Return the variables that the operation of this name, or every operation, uses more than once.

    Fragments that spread each other in a circle are counted in part; validation refuses them.
    """
    operations = operations_of(document, name)
    by_fragment = {fragment: _inside(node.selection_set) for fragment, node in fragments_of(document).items()}
    uses, spread_times = Counter[str](), Counter[str]()
    for node in operations:
        variables, spreads = _inside(node.selection_set)
        uses += variables
        spread_times += spreads
    for fragment in _outermost_first(by_fragment):
        variables, spreads = by_fragment[fragment]
        times = spread_times[fragment]
        for total, within in ((uses, variables), (spread_times, spreads)):
            for key, count in within.items():
                total[key] += times * count
    defaults = {
        one.variable.name.value: one.default_value.loc.end - one.default_value.loc.start
        for node in operations
        for one in node.variable_definitions or ()
        if one.default_value is not None and one.default_value.loc is not None
    }
    return tuple((key, many, defaults.get(key, 0)) for key, many in uses.items() if many > 1)


def excess_error(
    document: DocumentNode, uses: VariableUses, variables: Mapping[str, Any] | None, limits: DocumentLimits
) -> LimitExceeded | None:
    """Return the error of variables above a limit; None if they are within the limits.

    The limits are the characters of repeated variables, the number of values, and the number of objects in one list:
    graphql-core coerces each value by itself, in a microsecond or more. Quotes are one scalar, and actions have a limit
    of their own.
    """
    values = variables or {}
    weight = sum(many * (_size(values[key]) if key in values else default) for key, many, default in uses)
    if weight > limits.variables:
        return LimitExceeded("variables", limits.variables, weight)
    if _count(values, limits.items) <= limits.items:
        return None  # the usual case
    kinds = {name: kind for name, kind, _ in declared_variables(document)}
    others = {name: value for name, value in values.items() if kinds.get(name) not in QUOTES}
    if (count := _count(others, limits.values)) > limits.values:
        return LimitExceeded("values", limits.values, count)
    items = _longest({f"${name}": value for name, value in others.items() if kinds.get(name) != ITEM})
    return LimitExceeded("items", limits.items, items) if items > limits.items else None


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
    """Return the number of values in it; once above `most` it may be smaller than the real number."""
    many, waiting = 0, [value]
    while waiting and many <= most:
        inner = waiting.pop()
        if isinstance(inner, dict | list):
            many += len(inner)
            waiting += inner.values() if isinstance(inner, dict) else inner
    return many


def _size(value: object) -> int:
    """Return the length of the value as JSON."""
    try:
        return len(orjson.dumps(value))
    except TypeError:  # a number above 64 bits, or a lone surrogate
        return len(json.dumps(value))


def _outermost_first(by_fragment: Mapping[str, tuple[Counter[str], Counter[str]]]) -> Sequence[str]:
    """Return the fragments in an order in which each comes before those that it spreads."""
    ordered: dict[str, None] = {}
    visited: set[str] = set()

    def visit(name: str) -> None:
        if name in by_fragment and name not in visited:
            visited.add(name)
            for inner in by_fragment[name][1]:
                visit(inner)
            ordered[name] = None

    for name in by_fragment:
        visit(name)
    return list(reversed(ordered))


def _inside(selections: SelectionSetNode | None) -> tuple[Counter[str], Counter[str]]:
    """Return the uses of each variable, and the spreads of each fragment, within the selections themselves."""
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
