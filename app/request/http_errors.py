"""What is answered without being executed: a status, one error with its code, and what HTTP wants to be said."""

import math
from collections.abc import Mapping

from graphql import GraphQLError

from domain import errors
from schema.engine.errors import RETRY_SECONDS, BadUserInput, Busy, RateLimited, Unauthenticated, retry_after
from services.admission import admission
from services.callers import Caller

METHODS = ("GET", "POST")


class HttpError(Exception):
    """A request that is not executed."""

    def __init__(self, status: int, error: GraphQLError, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = headers or {}


def bad_request(message: str, status: int = 400, **headers: str) -> HttpError:
    """What came is no request that GraphQL over HTTP knows; header names with underscores."""
    return HttpError(status, BadUserInput(message), {name.replace("_", "-"): text for name, text in headers.items()})


def wrong_method(method: str, *methods: str) -> HttpError:
    """The method is not for this."""
    allowed = ", ".join(methods)
    return bad_request(f"{method} is not for this; use {' or '.join(methods)}.", 405, Allow=allowed)


def unknown_bearer() -> HttpError:
    """The token that came is not valid; without any, the fields that need one say so."""
    error = Unauthenticated("The token is not valid: unknown, revoked or expired. Send another one, or none.")
    return HttpError(401, error, {"WWW-Authenticate": 'Bearer error="invalid_token"'})


def rate_limited(wait: float) -> HttpError:
    """The bearer asks more often than it may; `wait` is in seconds."""
    return HttpError(429, RateLimited(wait), {"Retry-After": str(math.ceil(wait))})


def check_room(caller: Caller) -> None:
    """Raises Busy where as many reads of the caller's bearer wait for a connection as may.

    Else each field of a document would be begun to be refused, and that costs the others most.
    """
    try:
        admission().check_room(caller)
    except errors.Busy as busy:
        raise Busy(str(busy), retry_after(busy)) from None


def unavailable(error: GraphQLError) -> HttpError:
    """The database is away, and with it whatever tells who asks."""
    return HttpError(503, error, {"Retry-After": str(math.ceil(RETRY_SECONDS))})


class ScopeChanged(HttpError):
    """The token reaches other objects than when it was last looked up. Nothing was told or written: do it again."""

    def __init__(self) -> None:
        busy = Busy("The scope of the token changes; ask again.", 1)
        super().__init__(503, busy, {"Retry-After": "1"})


def busy_error(busy: Busy) -> HttpError:
    """Too many wait already for what this request would wait for."""
    return HttpError(503, busy, {"Retry-After": "1"})
