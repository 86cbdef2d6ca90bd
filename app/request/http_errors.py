"""Errors of requests that are not executed: an HTTP status, one GraphQL error with its code, and headers."""

import math
from collections.abc import Mapping

from graphql import GraphQLError

from domain import errors
from schema.engine.errors import RETRY_SECONDS, BadUserInput, Busy, RateLimited, Unauthenticated, retry_after
from services.admission import admission
from services.callers import Caller

METHODS = ("GET", "POST")


class HttpError(Exception):
    """The response to a request that is not executed."""

    def __init__(self, status: int, error: GraphQLError, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = headers or {}


def bad_request(message: str, status: int = 400, **headers: str) -> HttpError:
    """Return the error of a malformed request. `headers` have underscores for hyphens in their names."""
    return HttpError(status, BadUserInput(message), {name.replace("_", "-"): text for name, text in headers.items()})


def wrong_method(method: str, *methods: str) -> HttpError:
    """Return the error of a method that may not be used for this."""
    allowed = ", ".join(methods)
    return bad_request(f"{method} is not allowed here; use {' or '.join(methods)}.", 405, Allow=allowed)


def unknown_bearer() -> HttpError:
    """Return the error of an invalid token. A request without a token gets an error of each field that needs one."""
    error = Unauthenticated("The token is not valid: unknown, revoked or expired. Send another one, or none.")
    return HttpError(401, error, {"WWW-Authenticate": 'Bearer error="invalid_token"'})


def rate_limited(wait: float) -> HttpError:
    """Return the error of a bearer above its request rate; `wait` is in seconds."""
    return HttpError(429, RateLimited(wait), {"Retry-After": str(math.ceil(wait))})


def check_room(caller: Caller) -> None:
    """Raise Busy if the limit of reads of the caller's bearer that wait for a connection is reached.

    Refusing the whole document is cheaper than refusing each of its fields.
    """
    try:
        admission().check_room(caller)
    except errors.Busy as busy:
        raise Busy(str(busy), retry_after(busy)) from None


def unavailable(error: GraphQLError) -> HttpError:
    """Return the error during an outage of the database, when tokens cannot be looked up either."""
    return HttpError(503, error, {"Retry-After": str(math.ceil(RETRY_SECONDS))})


class ScopeChanged(HttpError):
    """The token's scope differs from the remembered one. Nothing was written or answered: execute the request again."""

    def __init__(self) -> None:
        busy = Busy("The scope of the token changes; ask again.", 1)
        super().__init__(503, busy, {"Retry-After": "1"})


def busy_error(busy: Busy) -> HttpError:
    """Return the response to a request that would have to wait behind too many others."""
    return HttpError(503, busy, {"Retry-After": "1"})
