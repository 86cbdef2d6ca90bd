"""The masking of errors: every error gets its code, and unexpected exceptions lose their details.

In production introspection is off, and errors do not suggest similar names of the schema.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from graphql import GraphQLError, NoSchemaIntrospectionCustomRule
from strawberry.extensions import SchemaExtension

from schema.engine.errors import client_error
from schema.engine.request_context import Context

CAUSES_MAX = 10  # length of a chain of causes
SUGGESTION = re.compile(r" Did you mean [a-z ]*'[^?]*'\?")  # as graphql-core words it


class ErrorMasking(SchemaExtension):
    """The extension that masks the result of a query or mutation, and each result of a subscription."""

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
    """Return the errors as the client gets them."""
    shown = [client_error(error, context.request_id) for error in errors]
    for error in shown:
        _forget_frames(error)
    if not context.allows_introspection:
        for error in shown:
            error.message = SUGGESTION.sub("", error.message)
    return shown
