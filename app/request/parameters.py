"""The parameters of an operation, read from the URL or the body of a request as GraphQL over HTTP defines them."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any

from starlette.requests import Request

from app.request.bodies import read_body
from app.request.content_negotiation import JSON, UTF_8
from app.request.http_errors import bad_request
from config.settings import Settings

SHAPES: Mapping[str, tuple[type, str]] = {
    "query": (str, "text"),
    "documentId": (str, "text"),
    "operationName": (str, "text"),
    "variables": (dict, "an object"),
    "extensions": (dict, "an object"),
}
IN_JSON = ("variables", "extensions")  # encoded as JSON in a URL
LONG_BYTES = 64 << 10  # of a body after whose parsing other tasks have their turn


@dataclass(frozen=True, slots=True)
class OperationParameters:
    """The parameters of one operation; one that is missing or null is None."""

    query: str | None = None
    document_id: str | None = None
    operation_name: str | None = None
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None


async def read_parameters(request: Request, settings: Settings) -> OperationParameters:
    """Return the parameters of a GET or POST. Raises HttpError for a malformed request."""
    if request.method == "GET":
        texts = {name: text for name, text in request.query_params.items() if text}
        most = settings.body_values_max
        parsed = texts | {name: _parsed(texts[name], f"`{name}`", most) for name in IN_JSON if name in texts}
    else:
        _require_json(request.headers.get("content-type"))
        body = await read_body(request, settings.body_bytes_max, settings.body_seconds_max)
        parsed = _parsed(body, "The body", settings.body_values_max)
        if len(body) > LONG_BYTES:
            await asyncio.sleep(0)  # parsing took milliseconds, and coercing the values takes more
    if not isinstance(parsed, dict):
        raise bad_request("A GraphQL request must be a JSON object with one operation.")
    if wrong := shape_error(parsed):
        raise bad_request(wrong)
    return operation_parameters(parsed)


def shape_error(values: Mapping[str, Any]) -> str | None:
    """Return the error of the first parameter of a wrong type; None if all types are right."""
    for name, (kind, expected) in SHAPES.items():
        if values.get(name) is not None and not isinstance(values[name], kind):
            return f"`{name}` must be {expected} or null."
    return None


def operation_parameters(values: Mapping[str, Any]) -> OperationParameters:
    """Return the parameters of an operation whose types have been checked."""
    return OperationParameters(*(values.get(name) for name in SHAPES))


def parse_json(text: str | bytes, values_max: int) -> object:
    """Return the JSON value. Raises JSONDecodeError for every fault: bad UTF-8, too many digits, depth, NaN.

    More than `values_max` commas, lists and objects are a fault, too: the decoder holds the event loop.
    """
    try:
        text = text if isinstance(text, str) else text.decode("utf-8-sig")
        if (values := text.count(",") + text.count("[") + text.count("{")) > values_max:
            raise ValueError(f"it has {values} commas, lists and objects; the limit is {values_max}")
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise json.JSONDecodeError(str(error), "", 0) from None


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is not valid JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _parsed(text: str | bytes, place: str, values_max: int) -> Any:
    try:
        return parse_json(text, values_max)
    except json.JSONDecodeError as error:
        raise bad_request(f"{place} is not valid JSON: {error}.") from None


def _require_json(content_type: str | None) -> None:
    """Require JSON. A page of another site can send a form, or no content type, without the browser asking first."""
    if content_type == JSON:
        return  # nearly every client sends exactly this
    header = Message()
    header["content-type"] = content_type or "none/none"
    charset = header.get_content_charset("utf-8")
    if header.get_content_type() != JSON or charset not in UTF_8:
        raise bad_request(f"Send the operation with the content type {JSON} in UTF-8.", 415, Accept_Post=JSON)
