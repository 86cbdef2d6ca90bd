"""Answers as JSON, long ones piece by piece, so that writing one does not hold the event loop either."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from schema.engine.request_context import Context

PIECE_BYTES = 64 << 10  # of a long answer, written at once: a fifth of a millisecond
SHORT_FIELDS_MAX = 5_000  # an answer of at most so many is written in one go


def dumps(value: object) -> bytes:
    """JSON as UTF-8; as ASCII what the fast encoder refuses: numbers beyond 64 bits, halves of surrogate pairs."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


async def write_json(body: Mapping[str, Any], context: Context) -> list[bytes]:
    """Return the JSON of an answer as pieces of about PIECE_BYTES; one, where the answer is short."""
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
            await context.slices.next(context.whose)
    return [*joined, b"".join(part)] if part else joined


def _pieces(value: Any) -> Iterator[bytes]:
    """Yield the JSON of a value in order: objects by their fields, and lists by as many items as make a piece."""
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
    """Yield the items with the commas between them. How many are written at once follows from the size of the last."""
    place, many = 0, 1
    while place < len(values):
        if place:
            yield b","
        if many == 0:  # one alone was more than a piece
            yield from _pieces(values[place])
            place += 1
            continue
        text = dumps(values[place : place + many])[1:-1]
        yield text
        place += many
        each = len(text) // many
        many = min(2 * many, PIECE_BYTES // max(1, each))
