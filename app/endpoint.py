"""/graphql: HTTP and graphql-transport-ws, made strict about what comes in and clear about what goes out."""

import json
import math
from datetime import timedelta
from typing import Any

from cross_web import AsyncHTTPRequestAdapter, HTTPException
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.http.base import BaseRequestProtocol
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult

from app.bodies import limited
from app.identities import Identities
from app.naming import HEADER, fresh, name_of
from app.protocol import Handler
from app.rates import Rates
from app.sessions import Sessions
from config.settings import settings
from resolvers.main import schema
from schema.context import Context, EventSource
from schema.errors import BadUserInput, RateLimited
from schema.limits import Allowed

INIT_SECONDS_MAX = 10
PAGE_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self' ws: wss:"
SPEC_MEDIA_TYPE = "application/graphql-response+json"


class Outcome(Response):
    """Collects what the response will need of its request."""

    by_specification = False


class TooMany(HTTPException):
    """The bearer asks more often than it may."""

    def __init__(self, wait: float) -> None:
        super().__init__(429, "Too many requests.")
        self.wait = wait


class Endpoint(GraphQL[Context, None]):
    """One for the process. Raises nothing to the server for what a client can send."""

    graphql_transport_ws_handler_class = Handler

    def __init__(
        self, events: EventSource, sessions: Sessions, identities: Identities, rates: Rates, page: str | None
    ) -> None:
        super().__init__(
            schema,
            graphql_ide="graphiql" if page else None,  # or the page would be a 404
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=INIT_SECONDS_MAX),
        )
        self.sessions, self.rates = sessions, rates
        self._events = events
        self._allowed = Allowed(**settings().document)
        self._identities = identities
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await super().__call__(scope, receive, send)
            return
        name = name_of(scope)
        try:
            response = await self.run(limited(scope, receive, settings().body_bytes_max))
        except HTTPException as error:
            response = _refusal(error)
        response.headers[HEADER] = name
        await response(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        """Who asks. Raises TooMany over HTTP; a websocket's operations are counted one by one."""
        bearer = await self._identities.bearer(request.headers.get("authorization"))
        address = request.client.host if request.client else ""
        if isinstance(request, Request) and (wait := self.rates.take(bearer, address)):
            raise TooMany(wait)
        name = getattr(request.state, "request_id", None) or fresh()
        return Context(self._events, bearer, allowed=self._allowed, request_id=name)

    async def on_ws_connect(self, context: Context) -> dict[str, object] | None:
        """The token may come in the payload of connection_init instead: a browser cannot set headers."""
        given = (context.connection_params or {}).get("authorization")
        if given is not None:
            context.bearer = await self._identities.bearer(given if isinstance(given, str) else "")
        if context.bearer is None:
            raise ConnectionRejectionError
        return None

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        outcome = Outcome()
        del outcome.headers["content-length"]
        outcome.by_specification = SPEC_MEDIA_TYPE in request.headers.get("accept", "")
        return outcome

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        response = await super().process_result(request, result)
        if result.data is None and all(error.path is None for error in result.errors or ()):
            del response["data"]  # nothing was executed
        return response

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        assert isinstance(sub_response, Outcome), "get_sub_response has made it"
        if not sub_response.by_specification:
            return Response(self.encode_json(response_data), media_type="application/json")
        status = 200 if "data" in response_data else 400
        return Response(self.encode_json(response_data), status, media_type=SPEC_MEDIA_TYPE)

    def should_render_graphql_ide(self, request: BaseRequestProtocol) -> bool:
        return (
            self._page is not None
            and request.method == "GET"
            and request.query_params.get("query") is None
            and "text/html" in request.headers.get("accept", "")
        )

    async def render_graphql_ide(self, request: Request) -> Response:
        return Response(self._page, media_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY})

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData | list[GraphQLRequestData]:
        data = await super().parse_http_body(request)
        if isinstance(data, GraphQLRequestData) and not isinstance(data.operation_name, str | None):
            raise HTTPException(400, "The operationName must be a string or null, if provided.")
        return data

    def parse_json(self, data: str | bytes) -> Any:
        parsed = super().parse_json(data)
        if not isinstance(parsed, dict | list):
            raise HTTPException(400, "A GraphQL request is a JSON object.")
        return parsed

    def decode_json(self, data: str | bytes) -> object:
        """Whatever is wrong with the text becomes a JSONDecodeError: bad UTF-8, endless digits, depth."""
        try:
            return json.loads(data)
        except json.JSONDecodeError:
            raise
        except (ValueError, RecursionError) as error:
            raise json.JSONDecodeError(str(error), "", 0) from None


def _refusal(error: HTTPException) -> Response:
    if isinstance(error, TooMany):
        return JSONResponse(
            {"errors": [RateLimited(error.wait).formatted]}, 429, {"Retry-After": str(math.ceil(error.wait))}
        )
    told = GraphQLError(error.reason, extensions={"code": BadUserInput.code})
    return JSONResponse({"errors": [told.formatted]}, error.status_code)
