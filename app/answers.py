"""How what came of a request is written: the body, the status its media type has for it, and the headers."""

from collections.abc import Mapping, Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.types import ExecutionResult

from app.accepting import JSON
from app.refusals import Refusal
from schema.context import Context
from schema.errors import ApiError
from schema.writing import dumps, written

HEADERS = {"Cache-Control": "no-store", "Vary": "Accept, Authorization"}


class Pieces(Response):
    """A body that is sent piece by piece, each when the client has made room for it."""

    def __init__(self, pieces: Sequence[bytes], status: int, media_type: str) -> None:
        size = sum(map(len, pieces))
        super().__init__(b"", status, {**HEADERS, "Content-Length": str(size)}, media_type)
        self.size = size
        self.pieces = list(pieces)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        self.pieces.reverse()
        while self.pieces:
            piece = self.pieces.pop()  # it is the transport's from now on
            await send({"type": "http.response.body", "body": piece, "more_body": bool(self.pieces)})


async def executed(result: ExecutionResult, media_type: str, context: Context) -> Pieces:
    """The result. A request that could not be executed has no `data`; JSON's status is 200 all the same."""
    errors = result.errors or ()
    begun = result.data is not None  # every root field is nullable, so what began has data
    body: dict[str, object] = {"data": result.data} if begun else {}
    body |= {"errors": [error.formatted for error in errors]} if errors else {}
    body |= {"extensions": result.extensions} if result.extensions else {}
    status = 200
    if not begun and media_type != JSON:
        ours = any((error.extensions or {}).get("code") == ApiError.code for error in errors)
        status = 500 if ours else 400
    return Pieces(await written(body, context), status, media_type)


def refused(refusal: Refusal, media_type: str) -> Response:
    """The refusal's error alone."""
    body: Mapping[str, object] = {"errors": [refusal.error.formatted]}
    return Response(dumps(body), refusal.status, headers={**HEADERS, **refusal.headers}, media_type=media_type)
