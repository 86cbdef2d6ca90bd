"""What was compiled for an operation, kept with its document: a later execution of it finds everything ready."""

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
from services.views.lists import Linked

FieldPath = tuple[tuple[str, str | None], ...]
Switches = tuple[tuple[str, bool], ...]


@dataclass(slots=True)
class Compilation:
    """Of one operation."""

    lists: dict[tuple[Any, ...], Completer | None] = field(default_factory=dict)
    """By the place, type and switches of a list or page how it is answered by columns; None where it is not."""
    links: dict[tuple[FieldPath, Switches], tuple[Linked, ...]] = field(default_factory=dict)
    """By the place of a page and the switches what its rows lead to, which is read together with them."""
    is_of_the_moment: bool = False
    """Does its document name a field that is computed at the market of now, or an object by its id, which is brought
    there? Then the rows of its lists are brought there, too: no two figures of one answer disagree.
    """


OF_THE_MOMENT = re.compile(r"\b(snapshot|decisionContext|progress|payoutEligibility|previewDecisionActions)\b|\bid\s*:")

_kept: OrderedDict[int, tuple[OperationDefinitionNode, Compilation]] = OrderedDict()
"""By the id of an operation's node: a document that is kept has the same nodes again."""


def compilation_of(operation: OperationDefinitionNode) -> Compilation:
    """Return what is compiled for the operation; an empty one that is not kept for a very long document."""
    if operation.loc is None:
        return Compilation()
    text = operation.loc.source.body
    if len(text) > KEPT_CHARACTERS_MAX:
        return Compilation(is_of_the_moment=OF_THE_MOMENT.search(text) is not None)
    if id(operation) not in _kept:
        _kept[id(operation)] = operation, Compilation(is_of_the_moment=OF_THE_MOMENT.search(text) is not None)
        if len(_kept) > KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(id(operation))
    return _kept[id(operation)][1]


def links_of(info: Info) -> tuple[Linked, ...]:
    """Return what the rows of this field's page lead to; nothing before the operation's first answer."""
    links = compilation_of(info.operation).links
    return links.get((field_path(info.path), switches_of(info.variable_values)), ()) if links else ()


def switches_of(variables: Mapping[str, Any]) -> Switches:
    """Return the Boolean variables: nothing else decides which fields are skipped or included."""
    return tuple(pair for pair in variables.items() if isinstance(pair[1], bool))


def field_path(path: Path | None) -> FieldPath:
    """Return the names on the way to a field, each with its parent's type, without the items of lists."""
    place = []
    while path is not None:
        if isinstance(path.key, str):
            place.append((path.key, path.typename))
        path = path.prev
    return tuple(place)
