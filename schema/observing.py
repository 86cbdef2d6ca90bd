"""What an operation was, told to whoever observes."""

from collections.abc import Iterator
from typing import Any

from graphql import FieldNode, GraphQLSchema, OperationDefinitionNode
from strawberry.extensions import SchemaExtension

from services.observing import Operation, operation


class Observed(SchemaExtension):
    """The first of the extensions, so the last to see the result: errors already bear their codes."""

    streamed = False

    def on_operation(self) -> Iterator[None]:
        execution = self.execution_context
        context = execution.context
        with operation(context.request_id, context.bearer.role.value if context.bearer else None) as self.seen:
            try:
                yield
            finally:
                if not self.streamed:
                    self._tell(execution.result)
                node = _wanted(execution.graphql_document, execution.operation_name)
                if node is not None:
                    _describe(self.seen, node, execution.schema._schema)  # noqa: SLF001 - its only name

    def on_stream_result(self, result: Any) -> Iterator[None]:
        yield
        self.streamed = True
        self._tell(result)

    def _tell(self, result: Any) -> None:
        for error in getattr(result, "errors", None) or ():
            self.seen.codes.append(str((error.extensions or {}).get("code", "none")))


def _wanted(document: Any, name: str | None) -> OperationDefinitionNode | None:
    """The operation that was to be executed; None where the document has no such one."""
    nodes = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)] if document else []
    if name is None:
        return nodes[0] if len(nodes) == 1 else None
    return next((node for node in nodes if node.name and node.name.value == name), None)


def _describe(seen: Operation, node: OperationDefinitionNode, schema: GraphQLSchema) -> None:
    seen.type = node.operation.value
    seen.name = node.name.value if node.name else None
    asked = {part.name.value if isinstance(part, FieldNode) else "" for part in node.selection_set.selections}
    root = schema.get_root_type(node.operation)
    known = {*(root.fields if root else ()), "__schema", "__type", "__typename"}
    name = asked.pop() if len(asked) == 1 else "several"
    seen.root = name if name in known else "several"
