"""The compiled selections of an operation, kept with its parsed document for later executions."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import OperationDefinitionNode
from graphql.pyutils import Path

from schema.engine.document_limits import KEPT, KEPT_CHARACTERS_MAX
from schema.engine.fast_lists.batched_reads import Completer
from schema.engine.request_context import Info
from services.views.lists import LinkedListing

FieldPath = tuple[tuple[str, str | None], ...]
BooleanVariables = tuple[tuple[str, bool], ...]


@dataclass(slots=True)
class Compilation:
    """The compiled selections of one operation."""

    completers: dict[tuple[Any, ...], Completer | None] = field(default_factory=dict)
    """By path, type and Boolean variables the compiled selection of a list or page; None: the plain path answers it."""
    links: dict[tuple[FieldPath, BooleanVariables], tuple[LinkedListing, ...]] = field(default_factory=dict)
    """By path of a page and Boolean variables the links whose rows are read with the page in one statement."""
    revalues_rows: bool = False
    """Whether the rows of lists are revalued at the current market, so that all figures of one answer agree.

    True if the document selects a field computed at the current market, or reads an object by its id.
    """


MARKET_FIELDS = re.compile(r"\b(snapshot|decisionContext|progress|payoutEligibility|previewDecisionActions)\b|\bid\s*:")

_kept: OrderedDict[int, tuple[OperationDefinitionNode, Compilation]] = OrderedDict()
"""By id() of an operation's node. Parsed documents are kept, so a repeated document has the same nodes."""


def compilation_of(operation: OperationDefinitionNode) -> Compilation:
    """Return the operation's compilation; for a very long document an empty one that is not kept."""
    if operation.loc is None:
        return Compilation()
    text = operation.loc.source.body
    if len(text) > KEPT_CHARACTERS_MAX:
        return Compilation(revalues_rows=MARKET_FIELDS.search(text) is not None)
    if id(operation) not in _kept:
        _kept[id(operation)] = operation, Compilation(revalues_rows=MARKET_FIELDS.search(text) is not None)
        if len(_kept) > KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(id(operation))
    return _kept[id(operation)][1]


def links_of(info: Info) -> tuple[LinkedListing, ...]:
    """Return the links that are read with this field's page; none before the operation's first answer."""
    links = compilation_of(info.operation).links
    return links.get((field_path(info.path), boolean_variables(info.variable_values)), ()) if links else ()


def boolean_variables(variables: Mapping[str, Any]) -> BooleanVariables:
    """Return the Boolean variables: they alone decide which fields `@skip` and `@include` leave."""
    return tuple(pair for pair in variables.items() if isinstance(pair[1], bool))


def field_path(path: Path | None) -> FieldPath:
    """Return the names on the way to a field, each with its parent type, without the indexes of list items."""
    names = []
    while path is not None:
        if isinstance(path.key, str):
            names.append((path.key, path.typename))
        path = path.prev
    return tuple(names)
