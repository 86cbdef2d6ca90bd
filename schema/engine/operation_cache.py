"""The schema, which remembers the operations it has answered: the next time they are executed at once.

Whether a document is answered depends on nothing that time changes: its text, the operation named, the whole numbers
given as variables (pages' sizes), what is allowed, whether the schema may be asked about, and the token's role. The
size of variables that it uses more than once is looked at each time. What was answered by these without an error was
read, weighed, found valid and readable, and is so again. Everything else is done for each request.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

import strawberry
from graphql import DocumentNode, GraphQLError, execute
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType

from schema.engine.document_checks import whole_numbers
from schema.engine.document_limits import KEPT, KEPT_CHARACTERS_MAX, parse_document
from schema.engine.error_masking import mask_errors
from schema.engine.errors import ApiError
from schema.engine.executor import Executor
from schema.engine.operation_telemetry import OperationSummary, codes_of, find_operation, summarize
from schema.engine.request_context import Context
from schema.engine.storable_text import check_text_arguments
from schema.engine.variable_weights import VariableUses, excess_error, repeated_variables
from services.operation_telemetry import operation

OperationKey = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class CachedOperation:
    """A query or mutation that was answered before, its cost, and the variables that it uses more than once."""

    document: DocumentNode
    summary: OperationSummary
    cost: Mapping[str, int]
    uses: VariableUses


class Schema(strawberry.Schema):
    """Logs faults alone, where they are masked; that a client is refused is no error of the server's."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        check_text_arguments(self._schema)
        self._ready: OrderedDict[OperationKey, CachedOperation] = OrderedDict()

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Nothing: Strawberry would log every refusal with a traceback."""

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        root_value: Any = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """The result, in Strawberry's way for an operation that is not remembered."""
        key = _key(query, operation_name, variable_values, context_value)
        ready = self._ready.get(key)
        if ready and excess_error(ready.document, ready.uses, variable_values, context_value.limits):
            ready = None  # to be refused in the ordinary way
        if context_value.confirm_bearer and not (ready and ready.summary.type is OperationType.QUERY):
            await context_value.confirm_bearer()
        if ready and (allowed_operation_types is None or ready.summary.type in allowed_operation_types):
            self._ready.move_to_end(key)
            return await self._answer(ready, operation_name, variable_values, context_value, operation_extensions)
        result = await super().execute(
            query,
            variable_values,
            context_value,
            root_value,
            operation_name,
            allowed_operation_types,
            operation_extensions,
        )
        if query and len(query) <= KEPT_CHARACTERS_MAX and not result.errors:
            self._keep(key, query, operation_name, context_value, (result.extensions or {})["cost"])
        return result

    def _keep(self, key: OperationKey, text: str, name: str | None, context: Context, cost: Mapping[str, int]) -> None:
        document = parse_document(text, context.limits.tokens)
        if node := find_operation(document, name):
            self._ready[key] = CachedOperation(
                document, summarize(node, self._schema), cost, repeated_variables(document, name)
            )
            if len(self._ready) > KEPT:
                self._ready.popitem(last=False)

    async def _answer(
        self,
        ready: CachedOperation,
        name: str | None,
        variables: dict[str, Any] | None,
        context: Context,
        extensions: dict[str, Any] | None,
    ) -> ExecutionResult:
        """What Strawberry and our extensions answer, without what they found out the first time."""
        with operation(context.request_id, context.role) as seen:
            ready.summary.to(seen)
            context.cost = ready.cost["used"]
            try:
                context.reserve_answer(context.cost)
            except ApiError as refusal:
                seen.codes += codes_of([refusal])
                return ExecutionResult(None, [refusal], {"cost": dict(ready.cost)})
            found = execute(
                self._schema,
                ready.document,
                context_value=context,
                variable_values=variables,
                operation_name=name,
                executor_class=Executor,
                operation_extensions=extensions,
            )
            result = await found if isawaitable(found) else found
            errors = mask_errors(result.errors, context) if result.errors else None
            seen.codes += codes_of(errors or ())
        return ExecutionResult(result.data, errors, {"cost": dict(ready.cost)})


def _key(text: str | None, name: str | None, variables: Mapping[str, Any] | None, context: Context) -> OperationKey:
    return (text, name, whole_numbers(variables), context.limits, context.allows_introspection, context.role)
