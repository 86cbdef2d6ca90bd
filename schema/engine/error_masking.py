"""The last look at every result: errors leave with a code, and faults of ours without their insides.

In production the schema is nobody's to be asked about, and no error says which of its names was nearly met.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from graphql import GraphQLError, NoSchemaIntrospectionCustomRule
from strawberry.extensions import SchemaExtension

from schema.engine.errors import client_error
from schema.engine.request_context import Context

CAUSES_MAX = 10  # of an error, one behind the other
SUGGESTION = re.compile(r" Did you mean [a-z ]*'[^?]*'\?")  # graphql-core's words


class ErrorMasking(SchemaExtension):
    """Works on the one result of a query or mutation, and on each result of a subscription."""

    def on_operation(self) -> Iterator[None]:
        execution = self.execution_context
        if not execution.context.allows_introspection:
            execution.validation_rules = (*execution.validation_rules, NoSchemaIntrospectionCustomRule)
        yield
        self._mask(execution.result)

    def on_stream_result(self, result: Any) -> Iterator[None]:
        self._mask(result)
        yield

    def _mask(self, result: Any) -> None:
        errors = getattr(result, "errors", None)
        if errors:
            result.errors = mask_errors(errors, self.execution_context.context)


def _forget_frames(error: BaseException | None) -> None:
    """Drop the tracebacks of an error and of its causes.

    Their frames keep rows and results in memory until the next garbage collection.
    """
    for _ in range(CAUSES_MAX):
        if error is None:
            return
        error.__traceback__ = None
        error = getattr(error, "original_error", None) or error.__cause__ or error.__context__


def mask_errors(errors: Iterable[GraphQLError], context: Context) -> list[GraphQLError]:
    """The errors as they leave."""
    left = [client_error(error, context.request_id) for error in errors]
    for error in left:
        _forget_frames(error)
    if not context.allows_introspection:
        for error in left:
            error.message = SUGGESTION.sub("", error.message)
    return left
