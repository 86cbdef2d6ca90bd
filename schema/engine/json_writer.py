"""The writer of answers as JSON; long ones are written in pieces, so that the event loop is not held for long."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from schema.engine.request_context import Context

PIECE_BYTES = 64 << 10  # of a long answer, encoded at a stretch: a fifth of a millisecond
SHORT_FIELDS_MAX = 5_000  # an answer of at most so many fields is encoded as one piece


def dumps(value: object) -> bytes:
    """Return the value as JSON in UTF-8.

    Numbers above 64 bits and lone surrogates, which orjson refuses, are encoded by the standard library in ASCII.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


async def write_json(body: Mapping[str, Any], context: Context) -> list[bytes]:
    """Return the JSON of an answer in pieces of about PIECE_BYTES; a short answer is one piece."""
    if context.cost <= SHORT_FIELDS_MAX:
        return [dumps(body)]
    joined, part, size = [], [], 0
    for text in _pieces(body):
        part.append(text)
        size += len(text)
        if size >= PIECE_BYTES:
            joined.append(b"".join(part))
            part, size = [], 0
        if context.slices.is_over():
            await context.slices.wait(context.client_key)
    return [*joined, b"".join(part)] if part else joined


def _pieces(value: Any) -> Iterator[bytes]:
    """Yield the JSON of a value in order: an object field by field, a list by as many items as fill a piece."""
    if type(value) is dict and any(type(one) in (dict, list) for one in value.values()):
        mark = b"{"
        for name, one in value.items():
            yield mark + dumps(name) + b":"
            yield from _pieces(one)
            mark = b","
        yield b"}"
    elif type(value) is list and value and type(value[0]) in (dict, list):
        yield b"["
        yield from _items(value)
        yield b"]"
    else:
        yield dumps(value)


def _items(values: list[Any]) -> Iterator[bytes]:
    """Yield the items with commas between them. The size of the last items decides how many are encoded next."""
    place, many = 0, 1
    while place < len(values):
        if place:
            yield b","
        if many == 0:  # a single item was larger than a piece
            yield from _pieces(values[place])
            place += 1
            continue
        text = dumps(values[place : place + many])[1:-1]
        yield text
        place += many
        each = len(text) // many
        many = min(2 * many, PIECE_BYTES // max(1, each))
