"""What a request asks, taken from its URL or from its body, with the shape GraphQL over HTTP gives it."""

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
IN_JSON = ("variables", "extensions")  # as they stand in a URL
LONG_BYTES = 64 << 10  # of a body after which others have their turn


@dataclass(frozen=True, slots=True)
class OperationParameters:
    """The parameters of one operation; what was left out, or was null, is None."""

    query: str | None = None
    document_id: str | None = None
    operation_name: str | None = None
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None


async def read_parameters(request: Request, settings: Settings) -> OperationParameters:
    """The parameters of a GET or a POST. Raises Refusal for what is none of the protocol's."""
    if request.method == "GET":
        given = {name: text for name, text in request.query_params.items() if text}
        most = settings.body_values_max
        parsed = given | {name: _parsed(given[name], f"`{name}`", most) for name in IN_JSON if name in given}
    else:
        _require_json(request.headers.get("content-type"))
        body = await read_body(request, settings.body_bytes_max, settings.body_seconds_max)
        parsed = _parsed(body, "the body", settings.body_values_max)
        if len(body) > LONG_BYTES:
            await asyncio.sleep(0)  # it took milliseconds; reading its values takes some more
    if not isinstance(parsed, dict):
        raise bad_request("A GraphQL request is a JSON object, with one operation.")
    if wrong := shape_error(parsed):
        raise bad_request(wrong)
    return operation_parameters(parsed)


def shape_error(given: Mapping[str, Any]) -> str | None:
    """What is wrong with the first parameter that is not of its type; None where all are."""
    for name, (kind, told) in SHAPES.items():
        if given.get(name) is not None and not isinstance(given[name], kind):
            return f"`{name}` must be {told} or null."
    return None


def operation_parameters(given: Mapping[str, Any]) -> OperationParameters:
    """Those of an operation that are of their types."""
    return OperationParameters(*(given.get(name) for name in SHAPES))


def parse_json(text: str | bytes, values_max: int) -> object:
    """The JSON value. Whatever is wrong with it is a JSONDecodeError: bad UTF-8, endless digits, depth, NaN, or more
    commas, lists and objects than values_max: the decoder holds the event loop, as nothing interrupts it.
    """
    try:
        text = text if isinstance(text, str) else text.decode("utf-8-sig")
        if (values := text.count(",") + text.count("[") + text.count("{")) > values_max:
            raise ValueError(f"it has {values} commas, lists and objects, and {values_max} are the most")
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise json.JSONDecodeError(str(error), "", 0) from None


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _parsed(text: str | bytes, place: str, values_max: int) -> Any:
    try:
        return parse_json(text, values_max)
    except json.JSONDecodeError as error:
        raise bad_request(f"There is no JSON in {place}: {error}.") from None


def _require_json(content_type: str | None) -> None:
    """Nothing that a foreign page's form may send without being asked: a form's, or none, is refused."""
    if content_type == JSON:
        return  # as nearly every client sends it
    header = Message()
    header["content-type"] = content_type or "none/none"
    charset = header.get_content_charset("utf-8")
    if header.get_content_type() != JSON or charset not in UTF_8:
        raise bad_request(f"Send the operation as {JSON} in UTF-8.", 415, Accept_Post=JSON)
