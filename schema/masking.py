"""The last look at every result: errors leave with a code, and faults of ours without their insides."""

from collections.abc import Iterator
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.types import ExecutionContext

from schema.errors import shown


class MaskedErrors(SchemaExtension):
    """Works on the one result of a query or mutation, and on each result of a subscription."""

    def on_operation(self) -> Iterator[None]:
        yield
        self._mask(self.execution_context.result)

    def on_stream_result(self, result: Any) -> Iterator[None]:
        self._mask(result)
        yield

    def _mask(self, result: Any) -> None:
        errors = getattr(result, "errors", None)
        if errors:
            request_id = self.execution_context.context.request_id
            result.errors = [shown(error, request_id) for error in errors]


class Schema(strawberry.Schema):
    """Logs faults alone, where they are masked; that a client is refused is no error of the server's."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Nothing: Strawberry would log every refusal with a traceback."""
