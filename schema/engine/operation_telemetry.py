"""The telemetry of operations: type, root field, name and error codes of each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from graphql import FieldNode, GraphQLError, GraphQLSchema, OperationDefinitionNode, get_operation_ast
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from schema.engine.strawberry_internals import graphql_schema
from services.operation_telemetry import Operation, operation


@dataclass(frozen=True, slots=True)
class OperationSummary:
    """Type, root field and name of an operation; `root` as in `Operation`."""

    type: OperationType
    root: str
    name: str | None

    def copy_to(self, operation: Operation) -> None:
        operation.type, operation.root, operation.name = self.type.value, self.root, self.name


class OperationObserver(SchemaExtension):
    """The first extension, so the last to see the result: errors already have their codes."""

    is_streamed = False

    def on_operation(self) -> Iterator[None]:
        execution = self.execution_context
        context = execution.context
        with operation(context.request_id, context.role) as self.operation:
            try:
                yield
            finally:
                if not self.is_streamed:
                    self._add_codes(execution.result)
                node = find_operation(execution.graphql_document, execution.operation_name)
                if node is not None:
                    summarize(node, graphql_schema(execution.schema)).copy_to(self.operation)

    def on_stream_result(self, result: Any) -> Iterator[None]:
        yield
        self.is_streamed = True
        self._add_codes(result)

    def _add_codes(self, result: Any) -> None:
        self.operation.codes += codes_of(getattr(result, "errors", None) or ())


def codes_of(errors: Iterable[GraphQLError]) -> list[str]:
    return [str((error.extensions or {}).get("code", "none")) for error in errors]


def find_operation(document: Any, name: str | None) -> OperationDefinitionNode | None:
    """Return the operation to be executed; None if the document has no such operation."""
    return get_operation_ast(document, name) if document else None


def summarize(node: OperationDefinitionNode, schema: GraphQLSchema) -> OperationSummary:
    fields = {part.name.value if isinstance(part, FieldNode) else "" for part in node.selection_set.selections}
    root = schema.get_root_type(node.operation)
    names = {*(root.fields if root else ()), "__schema", "__type", "__typename"}
    name = fields.pop() if len(fields) == 1 else "several"
    return OperationSummary(
        type=OperationType(node.operation.value),
        root=name if name in names else "several",
        name=node.name.value if node.name else None,
    )
