"""The endpoint /graphql: GraphQL over HTTP, and graphql-transport-ws over websockets."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from graphql import GraphQLError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from app.graphiql_page import GraphiqlPage
from app.live.websocket_protocol import WebsocketHandler
from app.live.websocket_sessions import WebsocketSessions
from app.request import responses
from app.request.authentication import Authenticator
from app.request.bytes_in_flight import AnswerReservation, BytesInFlight
from app.request.content_negotiation import HTML, JSON, MEDIA_TYPES, preferred_media_type
from app.request.cpu_metering import MeteredWork
from app.request.headers import EndpointRequest
from app.request.http_errors import (
    METHODS,
    HttpError,
    ScopeChanged,
    bad_request,
    busy_error,
    check_room,
    rate_limited,
    unavailable,
    unknown_bearer,
    wrong_method,
)
from app.request.parameters import OperationParameters, parse_json, read_parameters
from app.request.rate_limits import ProcessorShares, RequestRates
from app.request.request_id import HEADER, new_request_id, request_id_of
from app.request.trusted_documents import TrustedDocuments
from app.server.connection_limits import ANONYMOUS, AnonymousConnection
from config.settings import Settings
from resolvers.main import schema
from schema.engine.document_limits import DocumentLimits
from schema.engine.errors import ApiError, BadUserInput, Busy, RateLimited, Unavailable, client_error, is_outage
from schema.engine.request_context import Context, EventSource
from schema.engine.time_slices import TimeSlices
from services.availability import Away, availability
from services.callers import Caller, acting_for
from services.tokens import Recalled

NO_GRAPHIQL = (
    "This is Propdesk's GraphQL API. In production it has no GraphiQL page for browsers: "
    "send POST requests with a bearer token, or set PROPDESK_ENVIRONMENT=development on a desk of your own.\n"
)
INIT_SECONDS_MAX = 10
_ID_HEADER = HEADER.lower().encode()
BY_METHOD = {"GET": {OperationType.QUERY}, "POST": {OperationType.QUERY, OperationType.MUTATION}}


class Endpoint(GraphQL[Context, None]):
    """The endpoint of the process. No request of a client makes it raise an exception to the server.

    Strawberry serves the websockets; this class serves HTTP.
    """

    graphql_transport_ws_handler_class = WebsocketHandler

    def __init__(
        self, settings: Settings, events: EventSource, sessions: WebsocketSessions, page: GraphiqlPage | None
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=INIT_SECONDS_MAX),
            allowed_origins=settings.allowed_origins,
        )
        self.sessions = sessions
        self.document_seconds_max = settings.document_seconds_max
        self.rates = RequestRates(settings.rates, settings.rate_burst_seconds)
        self.shares = ProcessorShares(settings.processor_shares, settings.rate_burst_seconds)
        self.flight = BytesInFlight(settings.flight_bearer_bytes_max, settings.flight_bytes_max)
        self.slices = TimeSlices()
        self.fast_fan_out = settings.fast_fan_out
        self.documents = TrustedDocuments.load(settings)
        self._settings = settings
        self._events = events
        self._limits = DocumentLimits(**settings.document)
        self._anonymous_limits = replace(self._limits, characters=settings.stranger_characters_max)
        self._authenticator = Authenticator(settings)
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await super().__call__(scope, receive, send)
            return
        request, reservation = EndpointRequest(scope, receive), AnswerReservation(self.flight)
        request_id = request_id_of(request)
        try:
            response = await self._respond(request, request_id, reservation)
            response.raw_headers.append((_ID_HEADER, request_id.encode()))
            await response(scope, receive, send)
        except ClientDisconnect:
            return
        finally:
            reservation.release()

    async def _respond(self, request: Request, request_id: str, reservation: AnswerReservation) -> Response:
        """Return the response, also to a malformed request and after a fault."""
        media_type = preferred_media_type(request)
        try:
            if request.method not in METHODS:
                raise wrong_method(request.method, *METHODS)
            if request.method == "GET" and self._wants_graphiql(request):
                return (
                    self._page.response(request)
                    if self._page
                    else PlainTextResponse(NO_GRAPHIQL, 406, responses.HEADERS)
                )
            if media_type is None:
                raise bad_request(f"The response can be {' or '.join(MEDIA_TYPES)}; accept one of them.", 406)
            try:
                return await self._execute(request, media_type, reservation)
            except ScopeChanged:
                return await self._execute(request, media_type, reservation)
        except HttpError as refusal:
            return responses.error_response(refusal, media_type or JSON)
        except ClientDisconnect:
            raise
        except Exception as fault:  # noqa: BLE001 - the client gets a masked error
            error = GraphQLError(str(fault), original_error=fault)
            refuse = unavailable if is_outage(error) else partial(HttpError, 500)
            return responses.error_response(refuse(client_error(error, request_id)), media_type or JSON)

    async def _execute(self, request: Request, media_type: str, reservation: AnswerReservation) -> Response:
        """Execute the request's operation. Raises HttpError for a malformed or refused request."""
        context = await self.get_context(request, request)
        reservation.bearer, context.reserve_answer = context.client_key, reservation.take
        caller = Caller.of(context.bearer, _address(request), self.document_seconds_max)
        connection = _anonymous_connection(request)
        spent = 0.0

        def spend(seconds: float) -> None:
            nonlocal spent
            spent += seconds

        try:
            check_room(caller)
        except Busy as busy:
            raise busy_error(busy) from None
        if connection:
            connection.on_disconnect = caller.leave
        try:
            with acting_for(caller):
                response = await MeteredWork(self._response(request, media_type, context), spend)
            if context.confirm_bearer:
                await context.confirm_bearer()
            reservation.become(response.size)
            return response
        finally:
            context.close()
            if connection:
                connection.on_disconnect = None
            self.shares.spend(context.bearer, _address(request), spent + context.thread_seconds)

    async def _response(self, request: Request, media_type: str, context: Context) -> responses.PiecewiseResponse:
        return await responses.result_response(await self._execution_result(request, context), media_type, context)

    async def _execution_result(self, request: Request, context: Context) -> ExecutionResult:
        if (parameters := getattr(request.state, "parameters", None)) is None:  # kept for a repeated execution
            parameters = request.state.parameters = await read_parameters(request, self._settings)
        try:
            query = self.documents.text(parameters)
            if not query:
                raise bad_request("The request has no `query` and no `documentId`.")
            return await self._execute_document(query, parameters, request.method, context)
        except ApiError as error:
            return ExecutionResult(data=None, errors=[error])

    async def _execute_document(
        self, query: str, parameters: OperationParameters, method: str, context: Context
    ) -> ExecutionResult:
        try:
            return await self.schema.execute(
                query,
                variable_values=parameters.variables,
                context_value=context,
                operation_name=parameters.operation_name,
                allowed_operation_types=BY_METHOD[method],
                operation_extensions=parameters.extensions,
            )
        except CannotGetOperationTypeError as error:
            raise BadUserInput(f"{error.as_http_error_reason().rstrip('.')}; name one of the document's.") from None
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.MUTATION:
                raise wrong_method(f"A mutation by {method}", "POST") from None
            raise bad_request(
                "Subscribe over a websocket at this address, with the protocol graphql-transport-ws."
            ) from None

    def _wants_graphiql(self, request: Request) -> bool:
        return "query" not in request.query_params and preferred_media_type(request, (*MEDIA_TYPES, HTML)) == HTML

    async def get_context(self, request: Request | WebSocket, response: object) -> Context:
        """Return the context of a request; its bearer is authenticated and counted. Raises HttpError.

        The client of a websocket is authenticated by `connection_init`.
        """
        header = request.headers.get("authorization")
        address = _address(request)
        request_id = getattr(request.state, "request_id", None) or new_request_id()
        context = Context(
            self._events,
            limits=self._anonymous_limits,
            allows_introspection=self._settings.environment == "development",
            fast_lists=self._settings.fast_lists,
            request_id=request_id,
            slices=self.slices,
        )
        context.address = address
        if isinstance(request, WebSocket):
            context.authorization = header
            return context
        recalled = self._authenticator.recall(header)
        if recalled:
            context.bearer, context.confirm_bearer = recalled.bearer, partial(self._confirm, request, context, recalled)
        else:
            try:
                context.bearer = await self._authenticator.bearer(header)
            except Busy as busy:
                raise busy_error(busy) from None
        if wait := self.rates.take(context.bearer, address) or self.shares.wait(context.bearer, address):
            raise rate_limited(wait)
        if context.bearer is None and header is not None:
            raise unknown_bearer()
        if context.bearer is not None:
            context.limits = self._limits
            if not recalled:
                _mark_authenticated(request)
        return context

    async def _confirm(self, request: Request, context: Context, recalled: Recalled) -> None:
        """Wait for the lookup of a remembered bearer. Raises HttpError if its token has ended or has another scope."""
        context.confirm_bearer = None
        bearer = await recalled.confirmed()
        if bearer is None:
            raise unknown_bearer()
        if bearer != recalled.bearer:
            raise ScopeChanged
        _mark_authenticated(request)

    async def on_ws_connect(self, context: Context) -> dict[str, object] | None:
        """Authenticate a websocket's client, and count its connection like a request; wait during an outage.

        The token may come in the payload of connection_init instead of the header: a browser cannot set headers.
        Raises RateLimited, Busy, and Unavailable if an outage of the database lasts too long.
        """
        in_payload = _authorization(context.connection_params or {})
        header = context.authorization if in_payload is None else in_payload
        text = header if isinstance(header, str) else ""
        try:
            context.bearer = await availability().outlast(lambda: self._authenticator.bearer(text), INIT_SECONDS_MAX)
        except Away:
            raise Unavailable from None
        if wait := self.rates.take(context.bearer, context.address):
            raise RateLimited(wait)
        if context.bearer is None:
            raise ConnectionRejectionError
        context.limits = self._limits
        return None

    def decode_json(self, data: str | bytes) -> Any:
        """Return the JSON of a websocket's message. Raises JSONDecodeError for every fault of the text."""
        return parse_json(data, self._settings.body_values_max)


def _anonymous_connection(request: Request) -> AnonymousConnection | None:
    connection: AnonymousConnection | None = request.scope.get("extensions", {}).get(ANONYMOUS)
    return connection


def _mark_authenticated(request: Request) -> None:
    """Stop counting the connection as anonymous: its client has sent a valid token."""
    if connection := _anonymous_connection(request):
        connection.end()


def _address(request: Request | WebSocket) -> str:
    return request.client.host if request.client else ""


def _authorization(parameters: Mapping[str, object]) -> object:
    """Return the value of `authorization`, in any capitals like an HTTP header, in the payload of connection_init."""
    return next((value for name, value in parameters.items() if name.lower() == "authorization"), None)
