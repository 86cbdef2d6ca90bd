"""How much of a request's body is read, and for how long: no more than is allowed, whatever its headers say."""

import asyncio

from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from app.refusals import Refusal, malformed


def limited(scope: Scope, receive: Receive, bytes_max: int) -> Request:
    """The request; reading its body raises Refusal 413 beyond `bytes_max`."""
    read = 0

    async def receive_some() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > bytes_max:
            raise _too_large(bytes_max)
        return message

    return Request(scope, receive_some)


async def body_of(request: Request, bytes_max: int, seconds_max: float) -> bytes:
    """The whole body. Raises Refusal: 413 too large, 408 too slow, 415 compressed.

    A compressed body could be a bomb, and no client of ours sends one.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise malformed("Send the body as it is, without a Content-Encoding.", 415, Accept_Encoding="identity")
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > bytes_max:
        raise _too_large(bytes_max)
    try:
        async with asyncio.timeout(seconds_max):
            return await request.body()
    except TimeoutError:
        raise malformed(f"The body did not come within {seconds_max:g} s.", 408, Connection="close") from None


def _too_large(bytes_max: int) -> Refusal:
    return malformed(f"The body is larger than {bytes_max} bytes. Ask in parts.", 413)
