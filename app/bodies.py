"""How much of a request's body is read: no more than is allowed, whatever its headers say."""

from cross_web import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope


def limited(scope: Scope, receive: Receive, bytes_max: int) -> Request:
    """The request; reading its body raises HTTPException 413 beyond `bytes_max`, 415 for one that is compressed.

    A compressed body could be a bomb, and no client of ours sends one.
    """
    read = 0

    async def receive_some() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > bytes_max:
            raise _too_large(bytes_max)
        return message

    request = Request(scope, receive_some)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "Send the body as it is, without a Content-Encoding.")
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > bytes_max:
        raise _too_large(bytes_max)
    return request


def _too_large(bytes_max: int) -> HTTPException:
    return HTTPException(413, f"The body is larger than {bytes_max} bytes. Ask in parts.")
