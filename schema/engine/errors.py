"""Top-level errors of answers: each has a code in its extensions; unexpected exceptions are masked."""

import logging

from graphql import GraphQLError

from domain import errors
from domain.errors import Forbidden, NotFound, Refused
from services.availability import outage
from services.callers import current

RETRY_SECONDS = 1.0  # `retryAfter` if the real wait is unknown

log = logging.getLogger(__name__)


class ApiError(GraphQLError):
    """An error of the API. The code is stable; the message is for people and may change."""

    code = "INTERNAL"

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """`retry_after`: seconds after which a retry may succeed."""
        facts = {} if retry_after is None else {"retryAfter": retry_after}
        super().__init__(message, extensions={"code": self.code, **facts})


class Unauthenticated(ApiError):
    """The request has no valid token."""

    code = "UNAUTHENTICATED"


class NotAllowed(ApiError):
    """The token's role may not use or read this field."""

    code = "FORBIDDEN"


class BadUserInput(ApiError):
    """The request, the document or a variable is invalid; the message says why."""

    code = "BAD_USER_INPUT"


class RateLimited(ApiError):
    """The bearer sends too many requests, or does not read its answers; retry after `retryAfter` seconds.

    `wait` is in seconds.
    """

    code = "RATE_LIMITED"

    def __init__(self, wait: float, reason: str = "You send too many requests") -> None:
        super().__init__(f"{reason}; retry in {wait:.1f} s.", round(wait, 3))


class Busy(ApiError):
    """A limit of concurrent work is reached; nothing was done, retry after `retryAfter` seconds."""

    code = errors.Busy.code

    @classmethod
    def at(cls, name: str, limit: int) -> "Busy":
        """Return the error of a limit of concurrent work that is reached."""
        message = f"The limit of {limit} {name} is reached; retry when one has ended."
        return cls(message, RETRY_SECONDS)


class Unavailable(ApiError):
    """The database cannot be reached; retry after `retryAfter` seconds. `inDoubt`: the mutation may have been done.

    `inDoubt` is true only if the connection broke during or after the mutation's commit. Sent again with the same
    idempotencyKey, the mutation returns its first result, or is done now.
    """

    code = "UNAVAILABLE"

    def __init__(self, *, in_doubt: bool = False) -> None:
        """`in_doubt`: the connection broke during or after a commit."""
        super().__init__(_IN_DOUBT if in_doubt else _UNCHANGED, RETRY_SECONDS)
        assert self.extensions is not None, "every ApiError has a code"
        self.extensions["inDoubt"] = in_doubt


_UNCHANGED = "The desk's database cannot be reached at the moment and nothing was changed; retry in a second."
_IN_DOUBT = (
    "The desk's database broke the connection before it confirmed whether the mutation was committed. Send it again "
    "with the same idempotencyKey; without a key, check first whether it was."
)


class TimeLimit(ApiError):
    """The document reached its time limit; this field was not answered, and nothing of it was done."""

    code = errors.TimeLimit.code


class CallerGone(ApiError):
    """The client disconnected before its answer; the error is counted, and no client gets it."""

    code = errors.CallerGone.code


class UnknownDocument(ApiError):
    """The desk has no document with this hash; send the text together with the hash."""

    code = "PERSISTED_QUERY_NOT_FOUND"


class NotRemembered(ApiError):
    """The desk executes only trusted documents, so it does not remember documents of clients."""

    code = "PERSISTED_QUERY_NOT_SUPPORTED"


class NotTrusted(ApiError):
    """The desk executes only trusted documents, and this is not one of them."""

    code = "DOCUMENT_NOT_TRUSTED"


class Missing(ApiError):
    """The object does not exist, or the token may not see it."""

    code = "NOT_FOUND"


class CursorExpired(ApiError):
    """The event of this cursor, or an event after it, was deleted by retention or lost by a restore."""

    code = "CURSOR_EXPIRED"


def top_level_error(refusal: Refused) -> ApiError | None:
    """Return a mutation's refusal as a top-level error; None if it is a user error about the input."""
    kind = next((error for one, error in _TOP_LEVEL.items() if isinstance(refusal, one)), None)
    return None if kind is None else kind(str(refusal), retry_after(refusal))


_TOP_LEVEL: dict[type[Refused], type[ApiError]] = {
    NotFound: Missing,
    Forbidden: NotAllowed,
    errors.Busy: Busy,
    errors.TimeLimit: TimeLimit,
    errors.CallerGone: CallerGone,
}


def retry_after(refusal: Refused) -> float | None:
    """Return the seconds after which a retry may succeed; None if unknown."""
    wait = refusal.facts.get("retry_after")
    return wait if isinstance(wait, float) else None


def is_outage(error: GraphQLError) -> bool:
    """Return whether an outage of the database caused the error."""
    cause: BaseException | None = error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return outage(cause) is not None


def _is_in_doubt() -> bool:
    caller = current()
    return caller is not None and caller.in_doubt


def client_error(error: GraphQLError, request_id: str) -> GraphQLError:
    """Return the error as the client gets it: with a code; an unexpected exception is masked and logged."""
    if error.extensions and "code" in error.extensions:
        return error
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        if cause.extensions and "code" in cause.extensions:
            error.extensions = dict(cause.extensions)
            return error
        cause = cause.original_error
    if outage(cause):
        unavailable = Unavailable(in_doubt=_is_in_doubt())
        return GraphQLError(unavailable.message, nodes=error.nodes, path=error.path, extensions=unavailable.extensions)
    if isinstance(cause, Refused):  # a query's field is refused; its other fields are answered
        wait = retry_after(cause)
        extensions = {"code": cause.code} | ({} if wait is None else {"retryAfter": wait})
        return GraphQLError(str(cause), nodes=error.nodes, path=error.path, extensions=extensions)
    if cause is None:  # the document or a variable does not match the schema
        error.extensions = {"code": BadUserInput.code}
        return error
    log.error("request failed", exc_info=cause, extra={"request": request_id, "path": error.path})
    return GraphQLError(
        f"The server failed to answer this; the fault is logged with request id {request_id}.",
        nodes=error.nodes,
        path=error.path,
        extensions={"code": ApiError.code, "requestId": request_id},
    )
