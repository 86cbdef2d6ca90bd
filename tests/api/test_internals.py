"""The undocumented names of libraries that the adapters use; a test names the one that a new version has changed."""

import inspect
import re
from typing import Any

import pytest
import strawberry
from starlette.datastructures import Headers
from starlette.requests import Request
from strawberry.extensions import SchemaExtension

from app.request.headers import EndpointRequest
from app.server.uvicorn_internals import HttpToolsProtocol, RequestResponseCycle, WebSocketsSansIOProtocol
from schema.engine import strawberry_internals
from schema.engine.executor import Executor
from schema.engine.strawberry_internals import (
    StrawberryExecutor,
    WebsocketHandlerBase,
    class_definition,
    definition_of,
    graphql_schema,
    requested_operation_name,
)

EXECUTOR_METHODS = {
    "build_per_event_executor": ["payload"],
    "execute_operation": ["serially"],
    "collect_subfields": ["return_type", "field_details_list"],
    "complete_list_value": ["return_type", "field_details_list", "info", "path", "result", "position_context"],
    "complete_iterable_value": ["item_type", "field_details_list", "info", "path", "items", "position_context"],
    "complete_list_item_value": [
        "item",
        "complete_results",
        "item_type",
        "field_details_list",
        "info",
        "item_path",
        "position_context",
    ],
    "complete_awaitable_list_item_value": [
        "item",
        "item_type",
        "field_details_list",
        "info",
        "item_path",
        "position_context",
    ],
    "complete_awaitable_value": ["return_type", "field_details_list", "info", "path", "result", "position_context"],
    "complete_object_value": ["return_type", "field_details_list", "info", "path", "result", "position_context"],
    "complete_value": ["return_type", "field_details_list", "info", "path", "result", "position_context"],
    "handle_field_error": ["raw_error", "return_type", "field_details_list", "path"],
    "settle_in_background": ["awaitables"],
    "with_abort_signal": ["awaitable"],
}
HANDLER_METHODS = (
    "handle_message",
    "handle_invalid_message",
    "handle_subscribe",
    "run_operation",
    "send_message",
    "_send_result_stream",
    "cleanup_operation",
    "handle_connection_init",
    "shutdown",
    "handle_task_exception",
)
UVICORN: dict[type, tuple[str, ...]] = {
    HttpToolsProtocol: ("transport", "loop", "scope", "cycle", "pipeline", "connections", "client"),
    RequestResponseCycle: ("disconnected", "message_event", "response_complete"),
    WebSocketsSansIOProtocol: (
        "transport",
        "loop",
        "scope",
        "conn",
        "queue",
        "writable",
        "close_sent",
        "close_timer",
        "disconnected",
        "read_paused",
        "request",
        "response",
    ),
}


@strawberry.type
class Query:
    number: int = 1

    @strawberry.field
    def doubled(self) -> int:
        return 2 * self.number


class Names(SchemaExtension):
    """An extension that keeps the operation name of the request."""

    seen: Any = "not asked"

    def on_execute(self) -> Any:
        Names.seen = requested_operation_name(self.execution_context)
        yield


@pytest.mark.parametrize("name", EXECUTOR_METHODS)
def test_graphql_cores_executor_has_the_methods_that_ours_overrides_or_calls(name: str) -> None:
    parameters = list(inspect.signature(getattr(StrawberryExecutor, name)).parameters)[1:]
    assert parameters == EXECUTOR_METHODS[name], f"graphql-core has changed {name}"


def test_graphql_cores_executor_is_built_from_the_arguments_that_ours_passes_on() -> None:
    parameters = list(inspect.signature(StrawberryExecutor.build).parameters)
    assert parameters[:5] == ["schema", "document", "root_value", "context_value", "raw_variable_values"]


def test_every_method_of_graphql_cores_that_ours_overrides_is_in_the_table() -> None:
    overridden = {name for name in vars(Executor) if hasattr(StrawberryExecutor, name) and not name.startswith("__")}
    assert overridden - {"build"} <= EXECUTOR_METHODS.keys()


@pytest.mark.parametrize("name", HANDLER_METHODS)
def test_strawberrys_websocket_handler_has_the_methods_that_ours_overrides(name: str) -> None:
    (base,) = WebsocketHandlerBase.__bases__
    assert hasattr(base, name), f"Strawberry has changed {name} of its graphql-transport-ws handler"


def test_strawberry_says_what_its_schema_types_and_operations_are() -> None:
    schema = strawberry.Schema(Query, extensions=[Names])
    query: Any = graphql_schema(schema).query_type
    assert definition_of(query).origin is Query
    assert definition_of(query.fields["number"]).python_name == "number"
    schema.execute_sync("query A { number }")
    assert Names.seen is None, "the request names none"
    schema.execute_sync("query A { number }", operation_name="A")
    assert Names.seen == "A"


@pytest.mark.parametrize("name", ["base_resolver", "extensions", "metadata", "origin", "python_name", "type"])
def test_strawberrys_fields_have_the_attributes_that_lists_and_events_read(name: str) -> None:
    query: Any = graphql_schema(strawberry.Schema(Query)).query_type
    assert hasattr(definition_of(query.fields["doubled"]), name), f"Strawberry has changed {name} of its fields"


@pytest.mark.parametrize("name", ["arguments", "info_parameter", "is_async", "self_parameter", "wrapped_func"])
def test_strawberrys_resolvers_have_the_attributes_that_lists_and_events_read(name: str) -> None:
    query: Any = graphql_schema(strawberry.Schema(Query)).query_type
    method = definition_of(query.fields["doubled"]).base_resolver
    assert hasattr(method, name), f"Strawberry has changed {name} of its resolvers"


def test_every_name_of_strawberrys_adapter_exists() -> None:
    assert all(hasattr(strawberry_internals, name) for name in strawberry_internals.__all__)
    assert class_definition(Query).origin is Query


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in UVICORN.items() for name in names])
def test_uvicorns_classes_set_the_attributes_that_ours_use(kind: type, name: str) -> None:
    assert re.search(rf"self\.{name}(: [^=]+)? =", inspect.getsource(kind)), (
        f"uvicorn has changed {kind.__name__}.{name}"
    )


def test_starlettes_request_takes_the_headers_of_ours() -> None:
    scope: Any = {"type": "http", "headers": [(b"a", b"1"), (b"a", b"2")]}
    request = EndpointRequest(scope, None)  # type: ignore[arg-type] # nothing is received
    assert request.headers.get("A") == Request(scope).headers.get("a") == Headers(scope=scope).get("a") == "1"
