"""The headers of a request, looked up by name in one step: Starlette's own goes through all of them each time."""

from typing import TypeVar

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Receive, Scope

Default = TypeVar("Default")


class _Headers(Headers):
    """The same headers. Of several with one name `get` returns the first, as Starlette's does."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._first = dict(reversed(self._list))

    def get(self, key: str, default: Default = None) -> str | Default:  # type: ignore[assignment] # as Mapping's
        value = self._first.get(key.lower().encode("latin-1"))
        return default if value is None else value.decode("latin-1")


class EndpointRequest(Request):
    """A request of the endpoint's."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self._headers = _Headers(scope)
