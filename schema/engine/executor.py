"""The executor: graphql-core's, which answers a list by columns where it can.

Both ways are divided into time slices of the event loop (`schema/engine/time_slices.py`): lists between items, and
awaited fields before they are resolved and before their values are completed.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLList,
    GraphQLObjectType,
    GraphQLSchema,
    OperationType,
    is_non_null_type,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path, gather_with_cancel
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.engine.document_limits import KEPT, LimitExceeded
from schema.engine.errors import is_outage
from schema.engine.fast_lists.batched_reads import Completer, PendingReads
from schema.engine.fast_lists.compiled_operations import compilation_of, field_path, switches_of
from schema.engine.fast_lists.list_compiler import Fallback, compile_items
from schema.engine.item_errors import without_invalid_items
from schema.engine.paging import Connection
from schema.engine.row_types import RowObjects
from schema.engine.time_slices import TimeSlices
from services.availability import availability
from services.callers import current

REPEATS_MAX = 20
"""Of one event of a subscription, each after the database was there: a fault that only looks like its absence ends."""


class Executor(StrawberryGraphQLCoreExecutionContext):
    """One for each operation. Whatever goes wrong with a list's columns, the list is answered in the ordinary way."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._compilation = compilation_of(self.operation)
        self._switches = switches_of(self.variable_values.coerced)
        self._slices: TimeSlices = self.context_value.slices
        self._event: tuple[Executor, Any] | None = None  # of a subscription: the operation's executor, and the payload
        if (caller := current()) and (kind := self.operation.operation) is not OperationType.SUBSCRIPTION:
            caller.begin(mutates=kind is OperationType.MUTATION)

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
        variables = without_invalid_items(document, raw_variable_values) if raw_variable_values else None
        return cast(
            "list[GraphQLError] | Executor",
            super().build(schema, document, root_value, context_value, variables, *given, **named),
        )

    def of_event(self, operation: "Executor", payload: Any) -> None:
        """Answer this event of the operation."""
        self._event = (operation, payload)

    def build_per_event_executor(self, payload: Any) -> "Executor":
        """As graphql-core has it, for an event that is answered however long the database is away."""
        made = cast("Executor", super().build_per_event_executor(payload))
        made.of_event(self, payload)
        return made

    def execute_operation(self, serially: bool | None = None) -> Any:
        """As graphql-core has it; an event of a subscription whose fields could not be read waits for the database."""
        answer = super().execute_operation(serially)
        return self._outlasting(answer) if self._event and self.is_awaitable(answer) else answer

    async def _outlasting(self, answer: Awaitable[ExecutionResult]) -> ExecutionResult:
        assert self._event is not None, "it answers an event"
        operation, payload = self._event
        result = await answer
        for _ in range(REPEATS_MAX):
            if not any(map(is_outage, result.errors or ())):
                break
            await availability().settled()
            self.context_value.loaders.renew()
            again = StrawberryGraphQLCoreExecutionContext.build_per_event_executor(operation, payload)
            answered: Any = again.execute_operation(False)
            result = await answered if self.is_awaitable(answered) else answered
        return result

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
        rows = isinstance(result, RowObjects)
        if position_context is not None or not (rows or type(result) is list):
            return ordinary()
        complete = self._compiled_at(path, return_type.of_type, field_details_list, rows=rows)
        return self._answer(complete, result.rows if rows else result, ordinary)

    def complete_iterable_value(
        self,
        item_type: Any,
        field_details_list: FieldDetailsList,
        info: Any,
        path: Path,
        items: Any,
        position_context: Any,
    ) -> Any:
        """As graphql-core has it, in slices: where one is over the other items wait for the next."""
        completed: list[Any] = []
        awaited: list[int] = []
        each = enumerate(items)

        def go_on() -> bool:
            """Complete items. Return whether that was all of them."""
            for index, item in each:
                place = path.add_key(index, None)
                of = (item_type, field_details_list, info, place, position_context)
                if self.is_awaitable(item):
                    completed.append(self.complete_awaitable_list_item_value(item, *of))
                    awaited.append(index)
                elif self.complete_list_item_value(item, completed, *of):
                    awaited.append(index)
                if self._slices.is_over():
                    return False
            return True

        def settle() -> None:
            """Let what has begun come to its end, though nobody waits for it any more."""
            if awaited:
                self.settle_in_background([completed[index] for index in awaited])

        async def the_others(is_all: bool) -> list[Any]:
            try:
                while not is_all:
                    await self._slices.next(self.context_value.whose)
                    is_all = go_on()
            except BaseException:
                settle()
                raise
            await _awaited(completed, awaited)
            return completed

        try:
            is_all = go_on()
        except Exception:
            settle()
            raise
        return completed if is_all and not awaited else the_others(is_all)

    async def complete_awaitable_value(
        self,
        return_type: Any,
        field_details_list: FieldDetailsList,
        info: Any,
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        """As graphql-core has it, in slices."""
        try:
            if self._slices.is_over():
                await self._next_slice(result)
            resolved = await self.with_abort_signal(result)
            if self._slices.is_over():
                await self._next_slice()
            completed = self.complete_value(return_type, field_details_list, info, path, resolved, position_context)
            return await completed if self.is_awaitable(completed) else completed
        except Exception as raised:  # noqa: BLE001 - it becomes the field's error
            self.handle_field_error(raised, return_type, field_details_list, path)
            return None

    def handle_field_error(
        self, raw_error: Exception, return_type: Any, field_details_list: FieldDetailsList, path: Path
    ) -> None:
        """As graphql-core has it, up to as many errors as an answer may have; one more says that others are missing."""
        errors, most = self.collected_errors.errors, self.context_value.allowed.errors
        if len(errors) < most or (self.error_propagation and is_non_null_type(return_type)):
            super().handle_field_error(raw_error, return_type, field_details_list, path)
        elif len(errors) == most:
            errors.append(LimitExceeded("errors", most, most + 1))

    async def _next_slice(self, resolving: Any = None) -> None:
        """Wait for the next slice; a resolver that has not begun ends with the operation."""
        try:
            await self._slices.next(self.context_value.whose)
        except BaseException:
            if hasattr(resolving, "close"):
                resolving.close()
            raise

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
        reads = PendingReads(result.page.linked)
        answer = self._answer(lambda reads, pages: complete(reads, pages)[0], [result], ordinary, reads)
        if reads.due and result.page.rows:
            self._compilation.links.setdefault((field_path(path), self._switches), reads.links_of(result.page.rows))
        return answer

    def _answer(
        self,
        complete: Callable[[PendingReads, Any], Any] | None,
        values: Any,
        ordinary: Callable[[], Any],
        reads: PendingReads | None = None,
    ) -> Any:
        if complete is None:
            return ordinary()
        reads = reads or PendingReads()
        try:
            answered = complete(reads, values)
        except Exception:  # noqa: BLE001 - it comes up again, and is then reported with its path
            return ordinary()
        return self._read(reads, answered, ordinary) if reads.due or reads.waiting else answered

    async def _read(self, reads: PendingReads, answered: Any, ordinary: Callable[[], Any]) -> Any:
        try:
            await reads.done(self.context_value)
        except Exception:  # noqa: BLE001 - as above
            again = ordinary()
            return await again if isinstance(again, Awaitable) else again
        return answered

    def _compiled_at(self, path: Path, of: Any, details: FieldDetailsList, *, rows: bool) -> Completer | None:
        """How what is there is answered by columns; None where it is not. Compiled when an operation comes to it."""
        if self.middleware_manager and self.middleware_manager.middlewares:
            return None  # they want to see each field
        key = (field_path(path), str(of), rows, self._switches)
        ways = self._compilation.lists
        if key not in ways:
            if len(ways) >= KEPT:
                ways.clear()  # Booleans can be combined without end
                self._compilation.links.clear()
            try:
                ways[key] = compile_items(self.collect_subfields, of, details, rows=rows)
            except Fallback:
                ways[key] = None
        return ways[key]


async def _awaited(completed: list[Any], places: list[int]) -> None:
    """Put in each of these places what is awaited there."""
    if len(places) == 1:  # without a task of its own
        completed[places[0]] = await completed[places[0]]
    elif places:
        for place, result in zip(
            places, await gather_with_cancel(*(completed[place] for place in places)), strict=True
        ):
            completed[place] = result
