"""The executor: graphql-core's, with lists answered by columns where that can be."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

from graphql import GraphQLList, GraphQLObjectType, OperationDefinitionNode
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.columns import Complete, Ordinary, Reads, compiled
from schema.limits import KEPT, KEPT_CHARACTERS_MAX
from schema.paging import Connection
from schema.rows import Rows

Compiled: TypeAlias = dict[tuple[Any, ...], Complete | None]
"""By where a list or a page is and what may be left out of it how it is answered by columns; None where it is not."""

_kept: OrderedDict[int, tuple[OperationDefinitionNode, Compiled]] = OrderedDict()
"""What was compiled for an operation, by the id of its node: documents that are kept have the same ones again."""


def _compiled_for(operation: OperationDefinitionNode) -> Compiled:
    if operation.loc is None or len(operation.loc.source.body) > KEPT_CHARACTERS_MAX:
        return {}
    _, compiled_ = _kept.setdefault(id(operation), (operation, {}))
    _kept.move_to_end(id(operation))
    if len(_kept) > KEPT:
        _kept.popitem(last=False)
    return compiled_


class Executor(StrawberryGraphQLCoreExecutionContext):
    """One for each operation. Whatever goes wrong with a list's columns, the list is answered in the ordinary way."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._compiled = _compiled_for(self.operation)
        # Nothing but a Boolean decides what is skipped.
        self._switches = tuple(pair for pair in self.variable_values.coerced.items() if isinstance(pair[1], bool))

    def complete_list_value(
        self,
        return_type: GraphQLList[Any],
        field_details_list: FieldDetailsList,
        info: Any,
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        ordinary = partial(
            super().complete_list_value, return_type, field_details_list, info, path, result, position_context
        )
        rows = isinstance(result, Rows)
        if position_context is not None or not (rows or type(result) is list):
            return ordinary()
        complete = self._compiled_at(path, return_type.of_type, field_details_list, rows=rows)
        return self._answer(complete, result.rows if rows else result, ordinary)

    def complete_object_value(
        self,
        return_type: GraphQLObjectType,
        field_details_list: FieldDetailsList,
        info: Any,
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        """A page with its list; other objects, whose links are read with those of others, in the ordinary way."""
        ordinary = partial(
            super().complete_object_value, return_type, field_details_list, info, path, result, position_context
        )
        if position_context is not None or not isinstance(result, Connection):
            return ordinary()
        complete = self._compiled_at(path, return_type, field_details_list, rows=False)
        return self._answer(complete and (lambda reads, objects: complete(reads, objects)[0]), [result], ordinary)

    def _answer(self, complete: Callable[[Reads, Any], Any] | None, values: Any, ordinary: Callable[[], Any]) -> Any:
        if complete is None:
            return ordinary()
        reads = Reads()
        try:
            answered = complete(reads, values)
        except Exception:  # noqa: BLE001 - it comes up again, and is then reported with its path
            return ordinary()
        return self._read(reads, answered, ordinary) if reads.due else answered

    async def _read(self, reads: Reads, answered: Any, ordinary: Callable[[], Any]) -> Any:
        try:
            await reads.done(self.context_value)
        except Exception:  # noqa: BLE001 - as above
            again = ordinary()
            return await again if isinstance(again, Awaitable) else again
        return answered

    def _compiled_at(self, path: Path, of: Any, details: FieldDetailsList, *, rows: bool) -> Complete | None:
        """How what is there is answered by columns; None where it is not. Compiled when an operation comes to it."""
        if self.middleware_manager and self.middleware_manager.middlewares:
            return None  # they want to see each field
        key = (_place(path), str(of), rows, self._switches)
        if key not in self._compiled:
            if len(self._compiled) >= KEPT:
                self._compiled.clear()  # Booleans can be combined without end
            try:
                self._compiled[key] = compiled(self.collect_subfields, of, details, rows=rows)
            except Ordinary:
                self._compiled[key] = None
        return self._compiled[key]


def _place(path: Path | None) -> tuple[tuple[str, str | None], ...]:
    """The names on the way to a field, each with the type it is of; which item of a list does not matter."""
    place = []
    while path is not None:
        if isinstance(path.key, str):
            place.append((path.key, path.typename))
        path = path.prev
    return tuple(place)
