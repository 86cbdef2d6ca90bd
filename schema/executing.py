"""The executor: graphql-core's, with lists answered by columns where that can be."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

from graphql import DocumentNode, GraphQLError, GraphQLList, GraphQLObjectType, GraphQLSchema
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.columns import Ordinary, compiled
from schema.compilations import compilation_of, place_of, switches_of
from schema.leniency import with_items_apart
from schema.limits import KEPT
from schema.paging import Connection
from schema.reads import Complete, Reads
from schema.rows import Rows


class Executor(StrawberryGraphQLCoreExecutionContext):
    """One for each operation. Whatever goes wrong with a list's columns, the list is answered in the ordinary way."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._compilation = compilation_of(self.operation)
        self._switches = switches_of(self.variable_values.coerced)

    @classmethod
    def build(
        cls,
        schema: GraphQLSchema,
        document: DocumentNode,
        root_value: Any = None,
        context_value: Any = None,
        raw_variable_values: dict[str, Any] | None = None,
        *given: Any,
        **named: Any,
    ) -> "list[GraphQLError] | Executor":
        """As graphql-core builds it, except that an item judged by itself does not spoil its variable."""
        variables = with_items_apart(document, raw_variable_values) if raw_variable_values else None
        return cast(
            "list[GraphQLError] | Executor",
            super().build(schema, document, root_value, context_value, variables, *given, **named),
        )

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
        if complete is None:
            return ordinary()
        reads = Reads(result.page.linked)
        answer = self._answer(lambda reads, pages: complete(reads, pages)[0], [result], ordinary, reads)
        if reads.due and result.page.rows:
            self._compilation.links.setdefault((place_of(path), self._switches), reads.links_of(result.page.rows))
        return answer

    def _answer(
        self,
        complete: Callable[[Reads, Any], Any] | None,
        values: Any,
        ordinary: Callable[[], Any],
        reads: Reads | None = None,
    ) -> Any:
        if complete is None:
            return ordinary()
        reads = reads or Reads()
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
        key = (place_of(path), str(of), rows, self._switches)
        ways = self._compilation.lists
        if key not in ways:
            if len(ways) >= KEPT:
                ways.clear()  # Booleans can be combined without end
                self._compilation.links.clear()
            try:
                ways[key] = compiled(self.collect_subfields, of, details, rows=rows)
            except Ordinary:
                ways[key] = None
        return ways[key]
