"""The executor: graphql-core's, with lists answered by columns where that can be."""

from collections.abc import Awaitable
from typing import Any

from graphql import GraphQLList
from graphql.execution.collect_fields import FieldDetailsList
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.columns import Complete, Ordinary, Reads, compiled
from schema.rows import Rows


class Executor(StrawberryGraphQLCoreExecutionContext):
    """One for each operation. Whatever goes wrong with a list's columns, the list is answered in the ordinary way."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._compiled: dict[tuple[Any, ...], tuple[FieldDetailsList, Complete | None]] = {}

    def complete_list_value(
        self,
        return_type: GraphQLList[Any],
        field_details_list: FieldDetailsList,
        info: Any,
        path: Any,
        result: Any,
        position_context: Any,
    ) -> Any:
        given = (return_type, field_details_list, info, path, result, position_context)
        rows = isinstance(result, Rows)
        complete = self._by_columns(return_type, field_details_list, rows) if rows or type(result) is list else None
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

    def _by_columns(self, of: GraphQLList[Any], details: FieldDetailsList, rows: bool) -> Complete | None:
        """How the list is answered by columns; None where it is not. Compiled when the operation first comes to it."""
        if self.middleware_manager and self.middleware_manager.middlewares:
            return None  # they want to see each field
        key = (of, id(details), rows)
        if key not in self._compiled:
            try:
                complete = compiled(self.collect_subfields, of.of_type, details, rows=rows)
            except Ordinary:
                complete = None
            self._compiled[key] = (details, complete)  # kept, so that its id remains its own
        return self._compiled[key][1]
