"""Names of uvicorn that it does not document as public, imported here alone.

`tests/api/test_internals.py` fails with the name when a new version of uvicorn changes one, or an attribute of its
protocols that `app/server` uses. httptools and websockets are used through these protocols only.
"""

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = [
    "ASGISendEvent",
    "ClientDisconnected",
    "HttpToolsProtocol",
    "RequestResponseCycle",
    "WebSocketsSansIOProtocol",
]
