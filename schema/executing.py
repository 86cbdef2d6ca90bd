"""The executor: graphql-core's, with lists answered by columns where that can be."""

from collections import OrderedDict
from collections.abc import Awaitable
from typing import Any, TypeAlias

from graphql import GraphQLList, OperationDefinitionNode
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.columns import Complete, Ordinary, Reads, compiled
from schema.limits import KEPT, KEPT_CHARACTERS_MAX
from schema.rows import Rows

Compiled: TypeAlias = dict[tuple[Any, ...], Complete | None]
"""By where a list is and what may be left out of it how it is answered by columns; None where it is not."""

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
        given = (return_type, field_details_list, info, path, result, position_context)
        rows = isinstance(result, Rows)
        complete = (
            self._by_columns(return_type, field_details_list, path, rows) if rows or type(result) is list else None
        )
        if complete is None or position_context is not None:
            return super().complete_list_value(*given)
        reads = Reads()
        try:
            answered = complete(reads, result.rows if rows else result)
        except Exception:  # noqa: BLE001 - it comes up again, and is then reported with its path
            return super().complete_list_value(*given)
        return self._read(reads, answered, given) if reads.due else answered

    async def _read(self, reads: Reads, answered: list[Any], given: tuple[Any, ...]) -> Any:
        try:
            await reads.done(self.context_value)
        except Exception:  # noqa: BLE001 - as above
            ordinary = super().complete_list_value(*given)
            return await ordinary if isinstance(ordinary, Awaitable) else ordinary
        return answered

    def _by_columns(self, of: GraphQLList[Any], details: FieldDetailsList, path: Path, rows: bool) -> Complete | None:
        """How the list is answered by columns; None where it is not. Compiled when an operation first comes to it."""
        if self.middleware_manager and self.middleware_manager.middlewares:
            return None  # they want to see each field
        key = (_place(path), rows, self._switches)
        if key not in self._compiled:
            try:
                self._compiled[key] = compiled(self.collect_subfields, of.of_type, details, rows=rows)
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
