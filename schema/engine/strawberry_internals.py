"""Names of Strawberry that it does not document as public, used here alone.

`tests/api/test_internals.py` fails with the name when a new version of Strawberry changes one.
"""

from typing import Any

from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext as StrawberryExecutor
from strawberry.schema.schema import StreamResult
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    SubscribeMessage,
)
from strawberry.types import ExecutionContext

__all__ = [
    "ConnectionInitMessage",
    "Message",
    "Operation",
    "StrawberryExecutor",
    "StreamResult",
    "SubscribeMessage",
    "WebSocketDisconnected",
    "WebsocketHandlerBase",
    "class_definition",
    "definition_of",
    "graphql_schema",
    "requested_operation_name",
]

_DEFINITION = "strawberry-definition"


def graphql_schema(schema: Any) -> GraphQLSchema:
    """Return graphql-core's schema of a Strawberry schema."""
    inner: GraphQLSchema = schema._schema  # noqa: SLF001 - Strawberry has no public name for it
    return inner


def requested_operation_name(execution: ExecutionContext) -> str | None:
    """Return the operation name of the request; the public `operation_name` falls back to the first operation's."""
    return execution._provided_operation_name  # noqa: SLF001 - Strawberry has no public name for it


def definition_of(element: GraphQLField | GraphQLObjectType) -> Any:
    """Return Strawberry's definition of a field or type; None for those of introspection."""
    return element.extensions.get(_DEFINITION)


def class_definition(kind: Any) -> Any:
    """Return Strawberry's definition of a decorated enum, input or type class."""
    return kind.__strawberry_definition__


class WebsocketHandlerBase(BaseGraphQLTransportWSHandler[Any, None]):
    """Strawberry's graphql-transport-ws handler, its private hooks under public names."""

    @property
    def scope(self) -> dict[str, Any]:
        """Return the ASGI scope of the connection."""
        websocket: Any = self.websocket
        scope: dict[str, Any] = websocket.ws.scope
        return scope

    async def send_results(self, operation: Operation[Any, None], results: StreamResult) -> None:
        """Send every result of a subscription."""
        await super()._send_result_stream(operation, results)

    async def _send_result_stream(self, operation: Operation[Any, None], result_source: StreamResult) -> None:
        await self.send_results(operation, result_source)
