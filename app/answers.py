"""How what came of a request is written: the body, the status its media type has for it, and the headers."""

import json
from collections.abc import Mapping

import orjson
from starlette.responses import Response
from strawberry.types import ExecutionResult

from app.accepting import JSON
from app.refusals import Refusal
from schema.errors import ApiError

HEADERS = {"Cache-Control": "no-store", "Vary": "Accept, Authorization"}


def executed(result: ExecutionResult, media_type: str) -> Response:
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
    return _written(body, status, media_type, {})


def refused(refusal: Refusal, media_type: str) -> Response:
    """The refusal's error alone."""
    return _written({"errors": [refusal.error.formatted]}, refusal.status, media_type, refusal.headers)


def _written(body: Mapping[str, object], status: int, media_type: str, headers: Mapping[str, str]) -> Response:
    return Response(encoded(body), status, headers={**HEADERS, **headers}, media_type=media_type)


def encoded(body: Mapping[str, object]) -> bytes:
    """JSON as UTF-8; as ASCII what the fast encoder refuses: numbers beyond 64 bits, halves of surrogate pairs."""
    try:
        return orjson.dumps(body)
    except TypeError:
        return json.dumps(body, separators=(",", ":")).encode()
