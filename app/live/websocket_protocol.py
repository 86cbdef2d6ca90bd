"""The graphql-transport-ws protocol, with this server's limits, close codes and fan-out."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from copy import copy
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from graphql import GraphQLError

from app.live.fan_out import Subscriber, SubscriberGroup
from app.live.hub import Hub
from app.live.rendering import EventSelection, recognize_selection
from app.live.websocket_sessions import CROWDED, WebsocketSessions
from app.request.bytes_in_flight import AnswerReservation, BytesInFlight
from app.request.cpu_metering import MeteredWork
from app.request.http_errors import check_room
from app.request.parameters import operation_parameters, shape_error
from app.request.rate_limits import ProcessorShares, RequestRates
from app.request.request_id import new_request_id
from app.request.trusted_documents import TrustedDocuments
from app.server.uvicorn_internals import ClientDisconnected
from app.server.websockets import CONNECTION, WebsocketConnection, text_frame
from schema.engine.document_limits import parse_document
from schema.engine.errors import ApiError, Busy, CursorExpired, RateLimited, Unavailable, client_error
from schema.engine.json_writer import write_json
from schema.engine.request_context import Context
from schema.engine.strawberry_internals import (
    ConnectionInitMessage,
    Message,
    Operation,
    StreamResult,
    SubscribeMessage,
    WebSocketDisconnected,
    WebsocketHandlerBase,
)
from services.callers import Caller, acting_for
from services.principals import Principal
from services.telemetry import ERRORS
from services.views import events
from services.views.events import Cursor, Event, EventFilter, SubscriptionTerms
from services.views.ticks import Watched

Item = TypeVar("Item")

OPERATIONS_MAX = 100  # concurrent operations of one websocket; Strawberry would close one more without a code
ID_CHARACTERS_MAX = 128  # length of an operation's id
AWAY_TOO_LONG = 4413  # close code: the database is away, so the client cannot be authenticated
TOO_OFTEN = 4412  # close code: the bearer or its address connects too often, or too many authentications wait


class ServerState(Protocol):
    """The parts of the server that a connection uses."""

    sessions: WebsocketSessions
    rates: RequestRates
    shares: ProcessorShares
    flight: BytesInFlight
    documents: TrustedDocuments
    document_seconds_max: float
    fast_fan_out: bool

    async def on_ws_connect(self, context: Context) -> Any: ...


class AnswerAdmission:
    """The admission of an operation's next answer: its bearer needs processor time and room for the answer's bytes."""

    def __init__(self, shares: ProcessorShares, context: Context, reservation: AnswerReservation) -> None:
        self.reservation = reservation
        self.size = 0  # bytes of the newest answer
        self._shares, self._context = shares, context

    async def wait(self) -> None:
        """Wait until the next answer may be computed."""
        bearer = self._context.bearer
        while wait := self._shares.wait(bearer, ""):  # noqa: ASYNC110 - the share refills with time, without an event
            await asyncio.sleep(wait)
        await self.reservation.wait(self._context.cost, self.size)


class OperationEvents:
    """The event source of one operation.

    If the selection is recognized, the source ends at once and keeps the subscriber's group: graphql-core has then
    checked everything, and the fan-out writes the events.
    """

    def __init__(self, hub: Hub, recognize: Callable[[], EventSelection | None], admission: AnswerAdmission) -> None:
        self.hub = hub
        self._admission = admission
        self._recognize = recognize
        self.group: SubscriberGroup | None = None
        self.cursor = 0

    def subscribe(self, principal: Principal, wanted: EventFilter, after: Cursor | None) -> AsyncIterator[Event]:
        """Yield the events to execute the operation for; none if the fan-out writes them. Raises CursorExpired."""
        selection = self._recognize()
        if selection is None:
            return self._each(self.hub.subscribe(principal, wanted, after))
        return self._begin(SubscriberGroup(SubscriptionTerms.of(principal, wanted), selection), after)

    def changes(self, watched: Watched) -> AsyncIterator[None]:
        """Yield as the hub does, as often as the bearer's processor share allows."""
        return self._each(self.hub.changes(watched))

    async def _each(self, source: AsyncIterator[Item]) -> AsyncIterator[Item]:
        """Yield each item of the source once its answer is admitted, and release the answer afterwards."""
        async with aclosing(source) as items:  # type: ignore[type-var] # both sources are generators
            async for item in items:
                await self._admission.wait()
                yield item
                self._admission.reservation.release()

    async def _begin(self, group: SubscriberGroup, after: Cursor | None) -> AsyncIterator[Event]:
        self.cursor = await self.hub.start_position(group.terms, after)
        self.group = group
        none: tuple[Event, ...] = ()
        for event in none:
            yield event


class WebsocketHandler(WebsocketHandlerBase):
    """The handler of one websocket. A message that is not of the protocol closes it with 4400.

    Each operation runs in a copy of the handler with a context, and a request id, of its own.
    """

    view: ServerState  # type: ignore[assignment] # the endpoint has more than Strawberry's view
    source: OperationEvents  # set in an operation's copy
    admission: AnswerAdmission  # set in an operation's copy

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.subscribers: dict[str, Subscriber] = {}  # by id the operations whose events the fan-out writes
        self.callers: dict[str, Caller] = {}  # by id of the operation; its caller can stop it

    async def handle_message(self, message: Any) -> None:
        if _is_message(message):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("Not a message of graphql-transport-ws")

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        bearer, payload = self.context.bearer, message["payload"]
        try:
            if bearer and self.connection_acknowledged and (wait := self._seconds_to_wait(bearer)):
                raise RateLimited(wait)
            if len(self.operations) >= OPERATIONS_MAX:
                raise Busy.at("operations of this websocket", OPERATIONS_MAX)
            check_room(self._caller())
            payload["query"] = self.view.documents.text(operation_parameters(payload)) or ""
        except ApiError as error:
            await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})
        else:
            await super().handle_subscribe(message)

    def _seconds_to_wait(self, bearer: Principal) -> float:
        return self.view.rates.take(bearer, "") or self.view.shares.wait(bearer, "")

    async def run_operation(self, operation: Operation[Context, None]) -> None:
        mine = copy(self)  # the copies share the socket and the operations
        reservation = AnswerReservation(self.view.flight, self.context.client_key)
        mine.context = replace(
            self.context, request_id=new_request_id(), reserve_answer=reservation.take, _loaders=None
        )
        mine.admission = AnswerAdmission(self.view.shares, mine.context, reservation)
        mine.source = mine.context.events = OperationEvents(
            self._hub, lambda: self._recognize_selection(operation), mine.admission
        )
        operation.handler = mine
        self.callers[operation.id] = caller = self._caller()
        try:
            with acting_for(caller):
                await MeteredWork(super(WebsocketHandler, mine).run_operation(operation), mine._spend)  # noqa: SLF001 - a copy
        finally:
            reservation.release()
            mine.context.close()
            if self.callers.get(operation.id) is caller:  # else a newer operation has the id
                del self.callers[operation.id]
            mine._spend(mine.context.thread_seconds)  # noqa: SLF001 - as above

    def _caller(self) -> Caller:
        return Caller.of(self.context.bearer, self.context.address, self.view.document_seconds_max)

    def _spend(self, seconds: float) -> None:
        self.view.shares.spend(self.context.bearer, "", seconds)

    @property
    def _hub(self) -> Hub:
        hub = self.context.events
        assert isinstance(hub, Hub), "only an operation's context has another source"
        return hub

    @property
    def _socket(self) -> WebsocketConnection | None:
        """Return the server's connection; None under another ASGI server."""
        socket: WebsocketConnection | None = self.scope.get("extensions", {}).get(CONNECTION)
        return socket

    def _recognize_selection(self, operation: Operation[Context, None]) -> EventSelection | None:
        if self._socket is None or not self.view.fast_fan_out:
            return None
        document = parse_document(operation.query, self.context.limits.tokens)
        return recognize_selection(document, operation.operation_name, operation.variables)

    async def send_message(self, message: Message) -> None:
        """Send a message, and return when the socket has room again: until then its bytes count as in flight."""
        socket = self._socket
        if message["type"] != "next" or socket is None:
            await super().send_message(message)
            return
        text = b"".join(await write_json(message, self.context))
        self.admission.reservation.become(len(text))
        self.admission.size = len(text)
        try:
            await socket.deliver_counted(text_frame(text))
        except ClientDisconnected:
            raise WebSocketDisconnected from None

    async def send_results(self, operation: Operation[Context, None], results: StreamResult) -> None:
        await super().send_results(operation, results)
        if self.source.group is not None:
            await self._follow(operation, self.source.group, self.source.cursor)

    async def _follow(self, operation: Operation[Context, None], group: SubscriberGroup, cursor: int) -> None:
        """Write the operation's events by the fan-out until the operation is cancelled."""
        socket = self._socket
        assert socket is not None, "without one the selection is not recognized"
        text = json.dumps({"id": operation.id, "type": "next", "payload": None}, separators=(",", ":"))
        subscriber = Subscriber(group, socket, text.removesuffix("null}").encode(), cursor)
        self.subscribers[operation.id] = subscriber
        try:
            await self.source.hub.follow(subscriber)
        except ClientDisconnected:
            raise WebSocketDisconnected from None
        except events.CursorExpired as expired:
            await operation.send_initial_errors([CursorExpired(str(expired))])
        except Exception as fault:  # noqa: BLE001 - client_error logs it; the client gets the error
            error = client_error(GraphQLError(str(fault), original_error=fault), self.context.request_id)
            await operation.send_initial_errors([error])
        finally:
            if self.subscribers.get(operation.id) is subscriber:  # else a newer operation has the id
                del self.subscribers[operation.id]

    async def cleanup_operation(self, operation_id: str) -> None:
        """Stop an operation whose answer nobody waits for; a mutation is still completed, without an answer."""
        if subscriber := self.subscribers.pop(operation_id, None):
            self._hub.leave(subscriber)  # at once, before its task is cancelled
        caller = self.callers.pop(operation_id, None)
        if caller is None or caller.leave():
            await super().cleanup_operation(operation_id)
        elif operation := self.operations.pop(operation_id, None):
            operation.completed = True

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        try:
            await super().handle_connection_init(message)
        except (RateLimited, Busy) as refusal:
            ERRORS.labels("connection_init", refusal.code).inc()
            await self.end(TOO_OFTEN, refusal.message)
        except Unavailable as refusal:
            ERRORS.labels("connection_init", refusal.code).inc()
            await self.end(AWAY_TOO_LONG, "The desk's database cannot be reached at the moment.")
        if self.connection_acknowledged and self.context.bearer:
            if not self.view.sessions.opened(self.context.bearer, self):
                await self.end(CROWDED, "This token has too many websockets open.")
            elif socket := self._socket:
                socket.authenticated(self.view.flight, self.context.client_key)

    async def end(self, code: int, reason: str) -> None:
        """Close the websocket with the code, even if its client does not read."""
        if socket := self._socket:
            socket.end(code, reason)
        else:
            await self.websocket.close(code, reason)

    async def shutdown(self) -> None:
        self.view.sessions.closed(self)
        await super().shutdown()

    async def handle_task_exception(self, error: Exception) -> None:
        if not isinstance(error, WebSocketDisconnected):  # a client that goes away is no error
            await super().handle_task_exception(error)


def _is_message(message: Any) -> bool:
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    if message["type"] not in ("subscribe", "complete"):
        return True
    if not isinstance(message.get("id"), str) or len(message["id"]) > ID_CHARACTERS_MAX:
        return False
    payload = message.get("payload")
    return message["type"] == "complete" or (
        isinstance(payload, dict)
        and any(payload.get(name) is not None for name in ("query", "documentId", "extensions"))
        and shape_error(payload) is None
    )
