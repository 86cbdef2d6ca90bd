"""Headers of a request with lookup by name in one step; Starlette's own search all headers each time.

It uses private names of Starlette; `tests/api/test_internals.py` fails if a new version changes them.
"""

from typing import TypeVar

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Receive, Scope

Default = TypeVar("Default")


class _Headers(Headers):
    """Starlette's headers with a faster `get`. If a name occurs several times, it returns the first value."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._first = dict(reversed(self._list))

    def get(self, key: str, default: Default = None) -> str | Default:  # type: ignore[assignment] # as Mapping's
        value = self._first.get(key.lower().encode("latin-1"))
        return default if value is None else value.decode("latin-1")


class EndpointRequest(Request):
    """A request of the endpoint, with fast headers."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self._headers = _Headers(scope)
