"""Request bodies, read within limits of size and time; what their headers announce is not trusted."""

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from app.request.http_errors import HttpError, bad_request


async def read_body(request: Request, bytes_max: int, seconds_max: float) -> bytes:
    """Return the whole body. Raises HttpError: 413 too large, 408 too slow, 415 compressed.

    Compressed bodies are refused because a small one can decompress to gigabytes.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise bad_request("Send the body uncompressed, without a Content-Encoding.", 415, Accept_Encoding="identity")
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > bytes_max:
        raise _too_large(bytes_max)
    reading = _read(request.receive, bytes_max)
    try:
        waits_for = reading.send(None)
    except StopIteration as end:  # the body came with the head, as most do: no timer is needed
        body: bytes = end.value
        return body
    try:
        async with asyncio.timeout(seconds_max):
            return await _resume(reading, waits_for)
    except TimeoutError:
        raise bad_request(f"The body did not arrive within {seconds_max:g} s.", 408, Connection="close") from None


async def _read(receive: Receive, bytes_max: int) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        if size > bytes_max:
            raise _too_large(bytes_max)
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


@coroutine
def _resume(reading: Coroutine[Any, Any, bytes], waits_for: Any) -> Generator[Any, Any, bytes]:
    """Run a coroutine that has begun, and waits for `waits_for`, to its end."""
    while True:
        try:
            resume, argument = reading.send, (yield waits_for)
        except BaseException as raised:  # noqa: BLE001 - the coroutine has to get it
            resume, argument = reading.throw, raised
        try:
            waits_for = resume(argument)
        except StopIteration as end:
            body: bytes = end.value
            return body


def _too_large(bytes_max: int) -> HttpError:
    return bad_request(f"The body is larger than {bytes_max} bytes. Send the operation in parts.", 413)
