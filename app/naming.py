"""The name each request goes by: in its answer's header, in the log, in the audit."""

import re
import uuid

from starlette.datastructures import Headers
from starlette.types import Scope

HEADER = "X-Request-Id"

_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


def fresh() -> str:
    """A name nobody else has."""
    return str(uuid.uuid4())


def name_of(scope: Scope) -> str:
    """What the client calls the request, if that is short and plain, else a fresh name; kept in the scope's state."""
    offered = Headers(scope=scope).get(HEADER, "")
    name = offered if _SANE.fullmatch(offered) else fresh()
    scope.setdefault("state", {})["request_id"] = name
    return name
