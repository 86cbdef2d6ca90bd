"""Each operation of the API as an operator sees it: a span, a line's facts, a duration, its errors counted."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry.trace import Span, Status, StatusCode

from config import telemetry
from config.logs import about
from services.measures import ERRORS, REQUEST_SECONDS


@dataclass(slots=True)
class Operation:
    """What is known of an operation when it ends. `root` is its root field, or `several`: words of the schema alone.

    `name` is the client's word, for the span; it never becomes a label.
    """

    type: str = "none"
    root: str = "none"
    name: str | None = None
    codes: list[str] = field(default_factory=list)  # of the errors beside the data


@contextmanager
def operation(request_id: str, role: str | None) -> Iterator[Operation]:
    """Around one operation. A subscription is as long as it lasts, and is not counted among the durations."""
    seen = Operation()
    began = time.perf_counter()
    with about(request=request_id, role=role), telemetry.span("graphql") as span:
        span.set_attribute("propdesk.request_id", request_id)
        span.set_attribute("propdesk.role", role or "none")
        try:
            yield seen
        finally:
            _describe(span, seen)
            if seen.type in ("query", "mutation"):
                REQUEST_SECONDS.labels(seen.type, seen.root).observe(time.perf_counter() - began)
            for code in seen.codes:
                ERRORS.labels(seen.type, code).inc()


def _describe(span: Span, seen: Operation) -> None:
    span.update_name(f"{seen.type} {seen.root}")
    span.set_attribute("graphql.operation.type", seen.type)
    if seen.name:
        span.set_attribute("graphql.operation.name", seen.name)
    if seen.codes:
        span.set_attribute("propdesk.error_code", seen.codes[0])
        span.set_status(Status(StatusCode.ERROR, seen.codes[0]))
