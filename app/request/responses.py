"""HTTP responses of execution results: body, status by media type, and headers."""

import math
from collections.abc import Mapping, Sequence
from functools import cache

from graphql import GraphQLError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.types import ExecutionResult

from app.request.content_negotiation import JSON
from app.request.http_errors import HttpError
from schema.engine.errors import ApiError, Busy, RateLimited, Unavailable
from schema.engine.json_writer import dumps, write_json
from schema.engine.request_context import Context

STATUS = {ApiError.code: 500, RateLimited.code: 429, Busy.code: 503, Unavailable.code: 503}
HEADERS = {"Cache-Control": "no-store", "Vary": "Accept, Authorization"}


class PiecewiseResponse(Response):
    """A response whose body is sent piece by piece, each once the client's socket has room."""

    def __init__(
        self, pieces: Sequence[bytes], status: int, media_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.size = sum(map(len, pieces))
        self.pieces = list(pieces)
        self.status_code, self.background = status, None
        self.raw_headers = [*_headers(media_type), (b"content-length", b"%d" % self.size)]
        if headers:
            self.headers.update(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        self.pieces.reverse()
        while self.pieces:
            piece = self.pieces.pop()  # the transport keeps it from now on
            await send({"type": "http.response.body", "body": piece, "more_body": bool(self.pieces)})


@cache
def _headers(media_type: str) -> Sequence[tuple[bytes, bytes]]:
    """Return the headers of every response of a media type, encoded."""
    sent = Response(headers=HEADERS, media_type=media_type).raw_headers
    return [header for header in sent if header[0] != b"content-length"]


async def result_response(result: ExecutionResult, media_type: str, context: Context) -> PiecewiseResponse:
    """Return the response of a result. A request that could not be executed has no `data`.

    The status is 200 for application/json in any case, but 503 if an outage of the database left no field answered.
    """
    errors = result.errors or ()
    away = _is_away(result)
    executed = result.data is not None and not away  # root fields are nullable, so an executed operation has data
    body: dict[str, object] = {"data": result.data} if executed else {}
    body |= {"errors": [error.formatted for error in errors]} if errors else {}
    body |= {"extensions": result.extensions} if result.extensions else {}
    status, headers = (200, {}) if executed else _refusal(errors)
    status = 200 if media_type == JSON and not away else status
    return PiecewiseResponse(await write_json(body, context), status, media_type, headers)


def _is_away(result: ExecutionResult) -> bool:
    """Return whether an outage of the database left no root field answered."""
    codes = {(error.extensions or {}).get("code") for error in result.errors or ()}
    return codes == {Unavailable.code} and not any(value is not None for value in (result.data or {}).values())


def _refusal(errors: Sequence[GraphQLError]) -> tuple[int, dict[str, str]]:
    """Return the status and headers of a request that was not executed, by the first error with a status."""
    facts = [error.extensions or {} for error in errors]
    status = next((STATUS[code] for one in facts if (code := one.get("code")) in STATUS), 400)
    wait = max((one.get("retryAfter", 0) for one in facts), default=0)
    return status, {"Retry-After": str(math.ceil(wait))} if wait else {}


def error_response(refusal: HttpError, media_type: str) -> Response:
    """Return the response of a request that is not executed."""
    body: Mapping[str, object] = {"errors": [refusal.error.formatted]}
    return Response(dumps(body), refusal.status, headers={**HEADERS, **refusal.headers}, media_type=media_type)
