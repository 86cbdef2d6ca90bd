"""Errors beside the data: each has a code in its extensions, and what nobody foresaw is masked."""

import logging

from graphql import GraphQLError

from domain import errors
from domain.errors import Forbidden, NotFound, Refused
from services.availability import outage
from services.callers import current

RETRY_SECONDS = 1.0  # where nothing tells how long what is under way will take

log = logging.getLogger(__name__)


class ApiError(GraphQLError):
    """An answer of the API itself. The code is stable, the message is for people."""

    code = "INTERNAL"

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """`retry_after`: seconds after which asking again may help."""
        facts = {} if retry_after is None else {"retryAfter": retry_after}
        super().__init__(message, extensions={"code": self.code, **facts})


class Unauthenticated(ApiError):
    """There is no token, or none that is valid."""

    code = "UNAUTHENTICATED"


class NotAllowed(ApiError):
    """The token's role may not do or read this."""

    code = "FORBIDDEN"


class BadUserInput(ApiError):
    """The request, the document or a variable cannot be used; the message says why."""

    code = "BAD_USER_INPUT"


class RateLimited(ApiError):
    """The bearer asks more often than it may, or for more than it reads; ask again after `retryAfter` seconds.

    `wait` is in seconds; `extensions.retryAfter` says it, too.
    """

    code = "RATE_LIMITED"

    def __init__(self, wait: float, reason: str = "You ask too often") -> None:
        super().__init__(f"{reason}; ask again in {wait:.1f} s.", round(wait, 3))


class Busy(ApiError):
    """As much is under way as may be at once; nothing was done, ask again after `retryAfter` seconds."""

    code = errors.Busy.code

    @classmethod
    def at(cls, name: str, limit: int) -> "Busy":
        """The refusal of one more than the limit allows."""
        message = f"{limit} {name} are under way, the most that may be; ask again when one has ended."
        return cls(message, RETRY_SECONDS)


class Unavailable(ApiError):
    """The database is away; ask again after `retryAfter` seconds. `inDoubt`: the mutation may have been done.

    Only of a mutation whose commit was on its way, or made, when the database went away. Sent again with the same
    idempotencyKey it is answered as it was done, or done now.
    """

    code = "UNAVAILABLE"

    def __init__(self, *, in_doubt: bool = False) -> None:
        """`in_doubt`: a commit was on its way, or has been made, when the database went away."""
        super().__init__(_IN_DOUBT if in_doubt else _NOT_DONE, RETRY_SECONDS)
        assert self.extensions is not None, "it has a code"
        self.extensions["inDoubt"] = in_doubt


_NOT_DONE = "The desk's database cannot be reached for now and nothing was done; ask again in a second."
_IN_DOUBT = (
    "The desk's database went away before it was known whether this was done. Send it again with the same "
    "idempotencyKey; where there is none, read first whether it was done."
)


class TimeLimit(ApiError):
    """The document took as long as it may; this field was not answered, and nothing of it was done."""

    code = errors.TimeLimit.code


class CallerGone(ApiError):
    """The client went away before its answer, which nobody reads; counted, and seen by none."""

    code = errors.CallerGone.code


class UnknownDocument(ApiError):
    """The hash is of no document that the desk knows: send its text with it."""

    code = "PERSISTED_QUERY_NOT_FOUND"


class NotRemembered(ApiError):
    """The desk executes none but listed documents, so it takes no document with its hash."""

    code = "PERSISTED_QUERY_NOT_SUPPORTED"


class NotTrusted(ApiError):
    """The desk executes none but listed documents, and this is none of them."""

    code = "DOCUMENT_NOT_TRUSTED"


class Missing(ApiError):
    """There is no such object, or none that the token may see."""

    code = "NOT_FOUND"


class CursorExpired(ApiError):
    """The event of this cursor, or some of those after it, are no longer kept, or were lost by a restore."""

    code = "CURSOR_EXPIRED"


def top_level_error(refusal: Refused) -> ApiError | None:
    """Of the refusals of a mutation, those that are not answers about its input."""
    kind = next((beside for one, beside in _BESIDE_DATA.items() if isinstance(refusal, one)), None)
    return None if kind is None else kind(str(refusal), retry_after(refusal))


_BESIDE_DATA: dict[type[Refused], type[ApiError]] = {
    NotFound: Missing,
    Forbidden: NotAllowed,
    errors.Busy: Busy,
    errors.TimeLimit: TimeLimit,
    errors.CallerGone: CallerGone,
}


def retry_after(refusal: Refused) -> float | None:
    """The seconds after which asking again may help, where they are known."""
    wait = refusal.facts.get("retry_after")
    return wait if isinstance(wait, float) else None


def is_outage(error: GraphQLError) -> bool:
    """Does the error come of a database that is away?"""
    cause: BaseException | None = error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return outage(cause) is not None


def _is_in_doubt() -> bool:
    caller = current()
    return caller is not None and caller.in_doubt


def client_error(error: GraphQLError, request_id: str) -> GraphQLError:
    """The error as the client gets it: with its code, or, when it is a fault of ours, masked and logged."""
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
    if isinstance(cause, Refused):  # of one field of a query: the others are answered
        wait = retry_after(cause)
        extensions = {"code": cause.code} | ({} if wait is None else {"retryAfter": wait})
        return GraphQLError(str(cause), nodes=error.nodes, path=error.path, extensions=extensions)
    if cause is None:  # the document, or a variable, does not fit the schema
        error.extensions = {"code": BadUserInput.code}
        return error
    log.error("request failed", exc_info=cause, extra={"request": request_id, "path": error.path})
    return GraphQLError(
        f"Something went wrong on our side; it is logged as request {request_id}.",
        nodes=error.nodes,
        path=error.path,
        extensions={"code": ApiError.code, "requestId": request_id},
    )
