"""The executor: graphql-core's, with the fast path of lists, time slices and events that outlast an outage.

Both paths of lists are divided into time slices of the event loop (`schema/engine/time_slices.py`): the plain path
between items, and awaited fields before they are resolved and before their values are completed.
"""

from collections.abc import Awaitable
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
from graphql.pyutils import Path

from schema.engine.document_limits import LimitExceeded
from schema.engine.errors import is_outage
from schema.engine.fast_lists.compiled_operations import boolean_variables, compilation_of
from schema.engine.fast_lists.list_answers import FastLists
from schema.engine.graphql_internals import FieldDetailsList, gather_with_cancel
from schema.engine.item_errors import without_invalid_items
from schema.engine.paging import Connection
from schema.engine.strawberry_internals import StrawberryExecutor
from schema.engine.time_slices import TimeSlices
from services.availability import availability
from services.callers import current

RETRIES_MAX = 20
"""Executions of one event after outages. A fault that only looks like an outage ends with the last of them."""


class Executor(StrawberryExecutor):
    """One for each operation, and one for each event of a subscription."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._fast_lists = self._make_fast_lists()
        self._slices: TimeSlices = self.context_value.slices
        self._event: tuple[Executor, Any] | None = None  # of a subscription: the operation's executor, and the payload
        if (caller := current()) and (kind := self.operation.operation) is not OperationType.SUBSCRIPTION:
            caller.begin(mutates=kind is OperationType.MUTATION)

    def _make_fast_lists(self) -> FastLists | None:
        """Return the fast path of lists; None if it is turned off, or middleware has to see each field."""
        if not self.context_value.fast_lists or (self.middleware_manager and self.middleware_manager.middlewares):
            return None
        variables = boolean_variables(self.variable_values.coerced)
        return FastLists(self.context_value, compilation_of(self.operation), variables, self.collect_subfields)

    @classmethod
    def build(
        cls,
        schema: GraphQLSchema,
        document: DocumentNode,
        root_value: Any = None,
        context_value: Any = None,
        raw_variable_values: dict[str, Any] | None = None,
        *args: Any,
        **named: Any,
    ) -> "list[GraphQLError] | Executor":
        """Build as graphql-core does, but let an invalid item of a batch be refused alone, not with its variable."""
        variables = without_invalid_items(document, raw_variable_values) if raw_variable_values else None
        return cast(
            "list[GraphQLError] | Executor",
            super().build(schema, document, root_value, context_value, variables, *args, **named),
        )

    def build_per_event_executor(self, payload: Any) -> "Executor":
        """Build the executor of one event, which waits for the database during an outage."""
        executor = cast("Executor", super().build_per_event_executor(payload))
        executor._event = (self, payload)  # noqa: SLF001 - of the same class
        return executor

    def execute_operation(self, serially: bool | None = None) -> Any:
        """Execute the operation. An event whose fields meet an outage is executed again once the database is back."""
        answer = super().execute_operation(serially)
        return self._outlast_outages(answer) if self._event and self.is_awaitable(answer) else answer

    async def _outlast_outages(self, answer: Awaitable[ExecutionResult]) -> ExecutionResult:
        assert self._event is not None, "only events are executed again"
        operation, payload = self._event
        result = await answer
        for _ in range(RETRIES_MAX):
            if not any(map(is_outage, result.errors or ())):
                break
            await availability().settled()
            self.context_value.loaders.renew()
            again = StrawberryExecutor.build_per_event_executor(operation, payload)
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
        """Complete a list by the fast path where it can."""
        plain = partial(
            super().complete_list_value, return_type, field_details_list, info, path, result, position_context
        )
        if position_context is not None or self._fast_lists is None:
            return plain()
        return self._fast_lists.items(return_type.of_type, field_details_list, path, result, plain)

    def complete_iterable_value(
        self,
        item_type: Any,
        field_details_list: FieldDetailsList,
        info: Any,
        path: Path,
        items: Any,
        position_context: Any,
    ) -> Any:
        """Complete items as graphql-core does, in slices: once a slice is over the other items wait for the next."""
        completed: list[Any] = []
        awaited: list[int] = []
        each = enumerate(items)

        def complete_some() -> bool:
            """Complete items until the slice is over. Return whether that was all of them."""
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
            """Let the items that have begun end in the background: nobody waits for them any more."""
            if awaited:
                self.settle_in_background([completed[index] for index in awaited])

        async def complete_rest(is_all: bool) -> list[Any]:
            try:
                while not is_all:
                    await self._slices.wait(self.context_value.client_key)
                    is_all = complete_some()
            except BaseException:
                settle()
                raise
            await _await_places(completed, awaited)
            return completed

        try:
            is_all = complete_some()
        except Exception:
            settle()
            raise
        return completed if is_all and not awaited else complete_rest(is_all)

    async def complete_awaitable_value(
        self,
        return_type: Any,
        field_details_list: FieldDetailsList,
        info: Any,
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        """Complete an awaited value as graphql-core does, in slices."""
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
        """Collect an error, up to the limit of an answer; one more error says that others are left out."""
        errors, most = self.collected_errors.errors, self.context_value.limits.errors
        if len(errors) < most or (self.error_propagation and is_non_null_type(return_type)):
            super().handle_field_error(raw_error, return_type, field_details_list, path)
        elif len(errors) == most:
            errors.append(LimitExceeded("errors", most, most + 1))

    async def _next_slice(self, resolving: Any = None) -> None:
        """Wait for the next slice. If the operation ends meanwhile, close a resolver that has not begun."""
        try:
            await self._slices.wait(self.context_value.client_key)
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
        """Complete a page by the fast path if its list was compiled, and every other object by the plain path."""
        plain = partial(
            super().complete_object_value, return_type, field_details_list, info, path, result, position_context
        )
        if position_context is not None or self._fast_lists is None or not isinstance(result, Connection):
            return plain()
        return self._fast_lists.page(return_type, field_details_list, path, result, plain)


async def _await_places(completed: list[Any], places: list[int]) -> None:
    """Replace the awaitable in each of these places by its result."""
    if len(places) == 1:  # no task is needed
        completed[places[0]] = await completed[places[0]]
    elif places:
        for place, result in zip(
            places, await gather_with_cancel(*(completed[place] for place in places)), strict=True
        ):
            completed[place] = result
