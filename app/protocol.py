"""graphql-transport-ws as this server speaks it."""

from copy import copy
from dataclasses import replace
from typing import Any, Protocol

from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import ConnectionInitMessage, SubscribeMessage

from app.naming import fresh
from app.rates import Rates
from app.sessions import Sessions
from schema.context import Context
from schema.errors import RateLimited


class View(Protocol):
    """What a connection knows of its server."""

    sessions: Sessions
    rates: Rates

    async def on_ws_connect(self, context: Context) -> Any: ...


class Handler(BaseGraphQLTransportWSHandler[Context, None]):
    """Closes with 4400 on a message that is not of the protocol, whatever it is instead.

    Each operation has a context of its own, which bears its name.
    """

    view: View  # type: ignore[assignment] # the endpoint is more than Strawberry asks for

    async def handle_message(self, message: Any) -> None:
        if _is_message(message):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("Not a message of graphql-transport-ws")

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        bearer = self.context.bearer
        if bearer and self.connection_acknowledged and (wait := self.view.rates.take(bearer, "")):
            told = RateLimited(wait).formatted
            await self.send_message({"id": message["id"], "type": "error", "payload": [told]})
        else:
            await super().handle_subscribe(message)

    async def run_operation(self, operation: Operation[Context, None]) -> None:
        mine = copy(self)  # the socket and the list of operations are shared
        mine.context = replace(self.context, request_id=fresh(), _loaders=None)
        await super(Handler, mine).run_operation(operation)

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        await super().handle_connection_init(message)
        if self.connection_acknowledged and self.context.bearer:
            self.view.sessions.opened(self.context.bearer, self.websocket)

    async def shutdown(self) -> None:
        if self.context.bearer:
            self.view.sessions.closed(self.websocket)
        await super().shutdown()

    async def handle_task_exception(self, error: Exception) -> None:
        if not isinstance(error, WebSocketDisconnected):  # that the client went away is no fault
            await super().handle_task_exception(error)


def _is_message(message: Any) -> bool:
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    if message["type"] not in ("subscribe", "complete"):
        return True
    if not isinstance(message.get("id"), str):
        return False
    payload = message.get("payload")
    return message["type"] == "complete" or (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )
