"""The schema with a cache of checked operations: a repeated operation is executed without checking it again.

The result of the checks depends on the document's text, the operation's name, the integer variables (page sizes), the
limits, whether introspection is allowed, and the token's role. These are the cache's key; an operation that was
answered without an error is kept under it. The size of variables that a document uses more than once is checked each
time.
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
from schema.engine.strawberry_internals import graphql_schema
from schema.engine.variable_weights import VariableUses, excess_error, repeated_variables
from services.operation_telemetry import operation

OperationKey = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class CachedOperation:
    """A query or mutation that was answered without an error: its cost, and the variables it uses more than once."""

    document: DocumentNode
    summary: OperationSummary
    cost: Mapping[str, int]
    uses: VariableUses


class Schema(strawberry.Schema):
    """Strawberry's schema with the cache. Only faults are logged, where they are masked; refusals are not."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._graphql = graphql_schema(self)
        check_text_arguments(self._graphql)
        self._cached: OrderedDict[OperationKey, CachedOperation] = OrderedDict()

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Do nothing: Strawberry would log every refusal with a traceback."""

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
        """Return the result; an operation that is not cached is checked and executed by Strawberry."""
        key = _key(query, operation_name, variable_values, context_value)
        cached = self._cached.get(key)
        if cached and excess_error(cached.document, cached.uses, variable_values, context_value.limits):
            cached = None  # Strawberry's path returns the error
        if context_value.confirm_bearer and not (cached and cached.summary.type is OperationType.QUERY):
            await context_value.confirm_bearer()
        if cached and (allowed_operation_types is None or cached.summary.type in allowed_operation_types):
            self._cached.move_to_end(key)
            return await self._execute_cached(
                cached, operation_name, variable_values, context_value, operation_extensions
            )
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
            self._cached[key] = CachedOperation(
                document, summarize(node, self._graphql), cost, repeated_variables(document, name)
            )
            if len(self._cached) > KEPT:
                self._cached.popitem(last=False)

    async def _execute_cached(
        self,
        cached: CachedOperation,
        name: str | None,
        variables: dict[str, Any] | None,
        context: Context,
        extensions: dict[str, Any] | None,
    ) -> ExecutionResult:
        """Return the result that Strawberry and the extensions return, without their checks."""
        with operation(context.request_id, context.role) as telemetry:
            cached.summary.copy_to(telemetry)
            context.cost = cached.cost["used"]
            try:
                context.reserve_answer(context.cost)
            except ApiError as refusal:
                telemetry.codes += codes_of([refusal])
                return ExecutionResult(None, [refusal], {"cost": dict(cached.cost)})
            answer = execute(
                self._graphql,
                cached.document,
                context_value=context,
                variable_values=variables,
                operation_name=name,
                executor_class=Executor,
                operation_extensions=extensions,
            )
            result = await answer if isawaitable(answer) else answer
            errors = mask_errors(result.errors, context) if result.errors else None
            telemetry.codes += codes_of(errors or ())
        return ExecutionResult(result.data, errors, {"cost": dict(cached.cost)})


def _key(text: str | None, name: str | None, variables: Mapping[str, Any] | None, context: Context) -> OperationKey:
    return (text, name, whole_numbers(variables), context.limits, context.allows_introspection, context.role)
