"""Selections of event subscriptions: recognized once, and rendered once per event for all subscribers that share one.

Only fields whose values come from the event alone are recognized. A field whose method takes `info` may depend on the
subscriber; a selection with such a field takes the plain path, which executes it for each subscriber.
"""

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentSpreadNode,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    execute,
    get_directive_values,
    get_operation_ast,
    get_variable_values,
    parse,
)

from app.request.request_id import new_request_id
from resolvers.main import schema
from schema.engine.document_limits import fragments_of
from schema.engine.errors import client_error
from schema.engine.strawberry_internals import definition_of, graphql_schema
from schema.events import ChallengeEvent, event_of
from services.views.events import Event

GRAPHQL: GraphQLSchema = graphql_schema(schema)
ROOT = "challengeEvents"
TYPE = ChallengeEvent.__name__
KEPT_BYTES_MAX = 16 << 20  # of rendered events


@dataclass(frozen=True, slots=True)
class EventSelection:
    """The root field's name in the answer, and the event's fields as (name in the answer, field), in its order."""

    name: str
    fields: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """Return the selection as a GraphQL document."""
        inner = " ".join(f"{name}: {field}" for name, field in self.fields)
        return f"subscription {{ {self.name}: {ROOT} {{ {inner} }} }}"


def recognize_selection(
    document: DocumentNode, operation_name: str | None, variables: Mapping[str, Any] | None
) -> EventSelection | None:
    """Return the selection of a valid document's subscription; None if it has to take the plain path."""
    operation = get_operation_ast(document, operation_name)
    if operation is None:
        return None
    values = get_variable_values(GRAPHQL, operation.variable_definitions or (), dict(variables or {}))
    if isinstance(values, list):
        return None
    walk = _Walk(document, values)
    roots = list(walk.fields(operation))
    if not roots or any(node.name.value != ROOT for node in roots):
        return None
    fields: dict[str, str] = {}
    for root in roots:
        for node in walk.fields(root):
            if not _is_plain(node):
                return None
            fields.setdefault(_name(node), node.name.value)
    return EventSelection(_name(roots[0]), tuple(fields.items()))


class _Walk:
    """A walk through a document's fields, with fragments resolved and directives applied, in the answer's order."""

    def __init__(self, document: DocumentNode, values: Any) -> None:
        self._values = values
        self._fragments = fragments_of(document)

    def fields(self, of: FieldNode | OperationDefinitionNode) -> Iterator[FieldNode]:
        return self._fields(of.selection_set.selections if of.selection_set else (), set())

    def _fields(self, selections: tuple[SelectionNode, ...], visited: set[str]) -> Iterator[FieldNode]:
        for node in selections:
            if not self._is_included(node):
                continue
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from self._fields(node.selection_set.selections, visited)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in visited:
                visited.add(node.name.value)
                yield from self._fields(self._fragments[node.name.value].selection_set.selections, visited)

    def _is_included(self, node: SelectionNode) -> bool:
        skip = get_directive_values(GraphQLSkipDirective, node, self._values)
        include = get_directive_values(GraphQLIncludeDirective, node, self._values)
        return not (skip and skip["if"]) and not (include and not include["if"])


def _name(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value


def _is_plain(node: FieldNode) -> bool:
    """Return whether the field's value comes from the event alone; False for one with arguments or subfields."""
    if node.name.value == "__typename":
        return True
    of = GRAPHQL.get_type(TYPE)
    assert isinstance(of, GraphQLObjectType), "events are objects"
    method = definition_of(of.fields[node.name.value]).base_resolver
    plain = method is None or (not method.is_async and method.info_parameter is None)
    return plain and not node.arguments and not node.selection_set


@lru_cache(maxsize=256)
def _document(text: str) -> DocumentNode:
    return parse(text, no_location=True)


class EventRenderer:
    """A renderer of events that keeps its newest payloads."""

    def __init__(self) -> None:
        self.rendered = 0  # number of executions
        self._kept: OrderedDict[tuple[EventSelection, int], bytes] = OrderedDict()
        self._bytes = 0

    def payload(self, selection: EventSelection, event: Event) -> bytes:
        """Return the payload of the `next` message, in JSON."""
        key = (selection, event.position)
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        payload = self._kept[key] = self._render(selection, event)
        self._bytes += len(payload)
        while self._bytes > KEPT_BYTES_MAX:
            self._bytes -= len(self._kept.popitem(last=False)[1])
        return payload

    def _render(self, selection: EventSelection, event: Event) -> bytes:
        self.rendered += 1
        result = execute(GRAPHQL, _document(selection.text), root_value=event_of(event))
        assert isinstance(result, ExecutionResult), "no recognized field is awaited"
        payload: dict[str, Any] = {"data": result.data}
        if result.errors:
            payload["errors"] = [client_error(error, new_request_id()).formatted for error in result.errors]
        return json.dumps(payload, separators=(",", ":")).encode()
