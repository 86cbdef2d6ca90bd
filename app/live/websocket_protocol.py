"""graphql-transport-ws as this server speaks it."""

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
from services.callers import Caller, bound
from services.principals import Principal
from services.telemetry import ERRORS
from services.views import events
from services.views.events import Cursor, Event, Terms, Wanted
from services.views.ticks import Watched

Item = TypeVar("Item")

OPERATIONS_MAX = 100  # of one websocket at once; Strawberry would close the operation without a code
ID_CHARACTERS_MAX = 128  # of an operation
AWAY_TOO_LONG = 4413  # close code: the database is away, so that nobody can say who the client is
TOO_OFTEN = 4412  # close code: the bearer, or its address, connects too often, or too many wait to be known


class ServerState(Protocol):
    """What a connection knows of its server."""

    sessions: WebsocketSessions
    rates: RequestRates
    shares: ProcessorShares
    flight: BytesInFlight
    documents: TrustedDocuments
    document_seconds_max: float
    fast_fan_out: bool

    async def on_ws_connect(self, context: Context) -> Any: ...


class AnswerAdmission:
    """Whether an operation's next answer may be computed: its bearer has processor time, and room for its bytes."""

    def __init__(self, shares: ProcessorShares, context: Context, reservation: AnswerReservation) -> None:
        self.reservation = reservation
        self.size = 0  # of the newest answer
        self._shares, self._context = shares, context

    async def wait(self) -> None:
        """Wait until it may be."""
        bearer = self._context.bearer
        while wait := self._shares.wait(bearer, ""):  # noqa: ASYNC110 - the share refills with time, without an event
            await asyncio.sleep(wait)
        await self.reservation.wait(self._context.cost, self.size)


class OperationEvents:
    """The events of one operation. Where its selection is recognised they end at once, and what was asked is kept.

    So the ordinary way checks everything, and the hub writes the events itself.
    """

    def __init__(self, hub: Hub, recognised: Callable[[], EventSelection | None], admission: AnswerAdmission) -> None:
        self.hub = hub
        self._admission = admission
        self._recognised = recognised
        self.group: SubscriberGroup | None = None
        self.cursor = 0

    def subscribe(self, principal: Principal, wanted: Wanted, after: Cursor | None) -> AsyncIterator[Event]:
        """What the operation executes for each event; nothing where it need not. Raises CursorExpired."""
        selection = self._recognised()
        if selection is None:
            return self._each(self.hub.subscribe(principal, wanted, after))
        return self._begin(SubscriberGroup(Terms.of(principal, wanted), selection), after)

    def changes(self, watched: Watched) -> AsyncIterator[None]:
        """Yield as the hub does, and seldom enough for the bearer's share: what changes meanwhile is one change."""
        return self._each(self.hub.changes(watched))

    async def _each(self, source: AsyncIterator[Item]) -> AsyncIterator[Item]:
        """Yield what the source does, each item once its answer is admitted, and until that has been taken."""
        async with aclosing(source) as items:  # type: ignore[type-var] # they are all generators
            async for item in items:
                await self._admission.wait()
                yield item
                self._admission.reservation.release()

    async def _begin(self, group: SubscriberGroup, after: Cursor | None) -> AsyncIterator[Event]:
        self.cursor = await self.hub.start(group.terms, after)
        self.group = group
        none: tuple[Event, ...] = ()
        for event in none:
            yield event


class WebsocketHandler(WebsocketHandlerBase):
    """Closes with 4400 on a message that is not of the protocol, whatever it is instead.

    Each operation has a context of its own, which bears its name.
    """

    view: ServerState  # type: ignore[assignment] # the endpoint is more than Strawberry asks for
    opening: OperationEvents  # of an operation's copy
    admission: AnswerAdmission  # of an operation's copy

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.members: dict[str, Subscriber] = {}  # by operation: those whose events the hub writes
        self.callers: dict[str, Caller] = {}  # by operation: who stops it, once nobody waits for its answer

    async def handle_message(self, message: Any) -> None:
        if _is_message(message):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("Not a message of graphql-transport-ws")

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        bearer, payload = self.context.bearer, message["payload"]
        try:
            if bearer and self.connection_acknowledged and (wait := self._wait(bearer)):
                raise RateLimited(wait)
            if len(self.operations) >= OPERATIONS_MAX:
                raise Busy.at("operations of this websocket", OPERATIONS_MAX)
            check_room(self._caller())
            payload["query"] = self.view.documents.text(operation_parameters(payload)) or ""
        except ApiError as error:
            await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})
        else:
            await super().handle_subscribe(message)

    def _wait(self, bearer: Principal) -> float:
        return self.view.rates.take(bearer, "") or self.view.shares.wait(bearer, "")

    async def run_operation(self, operation: Operation[Context, None]) -> None:
        mine = copy(self)  # the socket and the list of operations are shared
        reservation = AnswerReservation(self.view.flight, self.context.client_key)
        mine.context = replace(
            self.context, request_id=new_request_id(), reserve_answer=reservation.take, _loaders=None
        )
        mine.admission = AnswerAdmission(self.view.shares, mine.context, reservation)
        mine.opening = mine.context.events = OperationEvents(
            self._hub, lambda: self._recognise(operation), mine.admission
        )
        operation.handler = mine
        self.callers[operation.id] = caller = self._caller()
        try:
            with bound(caller):
                await MeteredWork(super(WebsocketHandler, mine).run_operation(operation), mine._spend)  # noqa: SLF001 - a copy
        finally:
            reservation.release()
            mine.context.close()
            if self.callers.get(operation.id) is caller:  # else the id is another operation's by now
                del self.callers[operation.id]
            mine._spend(mine.context.thread_seconds)  # noqa: SLF001 - as above

    def _caller(self) -> Caller:
        return Caller.of(self.context.bearer, self.context.address, self.view.document_seconds_max)

    def _spend(self, seconds: float) -> None:
        self.view.shares.spend(self.context.bearer, "", seconds)

    @property
    def _hub(self) -> Hub:
        hub = self.context.events
        assert isinstance(hub, Hub), "a connection's events are the hub's; an operation's are its opening's"
        return hub

    @property
    def _socket(self) -> WebsocketConnection | None:
        """The connection's socket, if it is one of ours."""
        socket: WebsocketConnection | None = self.scope.get("extensions", {}).get(CONNECTION)
        return socket

    def _recognise(self, operation: Operation[Context, None]) -> EventSelection | None:
        if self._socket is None or not self.view.fast_fan_out:
            return None
        document = parse_document(operation.query, self.context.limits.tokens)
        return recognize_selection(document, operation.operation_name, operation.variables)

    async def send_message(self, message: Message) -> None:
        """Send a message. Returns when the client has made room again: until then its bytes are in flight."""
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
        if self.opening.group is not None:
            await self._follow(operation, self.opening.group, self.opening.cursor)

    async def _follow(self, operation: Operation[Context, None], group: SubscriberGroup, cursor: int) -> None:
        """Have the hub write the operation's events, until it is cancelled."""
        socket = self._socket
        assert socket is not None, "else it would not have been recognised"
        text = json.dumps({"id": operation.id, "type": "next", "payload": None}, separators=(",", ":"))
        member = Subscriber(group, socket, text.removesuffix("null}").encode(), cursor)
        self.members[operation.id] = member
        try:
            await self.opening.hub.follow(member)
        except ClientDisconnected:
            raise WebSocketDisconnected from None
        except events.CursorExpired as expired:
            await operation.send_initial_errors([CursorExpired(str(expired))])
        except Exception as fault:  # noqa: BLE001 - logged where it is masked; the client must not wait for ever
            masked = client_error(GraphQLError(str(fault), original_error=fault), self.context.request_id)
            await operation.send_initial_errors([masked])
        finally:
            if self.members.get(operation.id) is member:  # else the id is another operation's by now
                del self.members[operation.id]

    async def cleanup_operation(self, operation_id: str) -> None:
        """Stop an operation for whose answer nobody waits; a mutation is finished all the same, and not answered."""
        if member := self.members.pop(operation_id, None):
            self._hub.leave(member)  # at once: its task is only cancelled when its turn comes
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
            await self.end(AWAY_TOO_LONG, "The desk's database cannot be reached for now.")
        if self.connection_acknowledged and self.context.bearer:
            if not self.view.sessions.opened(self.context.bearer, self):
                await self.end(CROWDED, "This token has too many websockets open.")
            elif socket := self._socket:
                socket.authenticated(self.view.flight, self.context.client_key)

    async def end(self, code: int, reason: str) -> None:
        """Close the connection with the code, whether its client reads or not."""
        if socket := self._socket:
            socket.end(code, reason)
        else:
            await self.websocket.close(code, reason)

    async def shutdown(self) -> None:
        self.view.sessions.closed(self)
        await super().shutdown()

    async def handle_task_exception(self, error: Exception) -> None:
        if not isinstance(error, WebSocketDisconnected):  # that the client went away is no fault
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
