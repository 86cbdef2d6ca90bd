"""Telemetry of each API operation: a span, facts of the log line, a duration, counts of errors."""

import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from opentelemetry.trace import Span, Status, StatusCode
from prometheus_client import Histogram

from config import telemetry
from config.logs import about
from services.telemetry import ERRORS, REQUEST_SECONDS


@dataclass(slots=True)
class Operation:
    """An operation at its end. `root` is its root field, or `several`: words of the schema alone.

    `name` is the client's word, for the span; it never becomes a label.
    """

    type: str = "none"
    root: str = "none"
    name: str | None = None
    codes: list[str] = field(default_factory=list)  # of errors next to the data
    span: Span | None = None  # where the operator records them


class operation:  # noqa: N801 - used like a function
    """Measure one operation. A subscription lasts as long as its socket and does not count among the durations."""

    __slots__ = ("_about", "_began", "_request_id", "_role", "_seen", "_span")

    def __init__(self, request_id: str, role: str | None) -> None:
        self._request_id, self._role = request_id, role

    def __enter__(self) -> Operation:
        self._seen = seen = Operation()
        self._began = time.perf_counter()
        self._about = about(request=self._request_id, role=self._role)
        self._about.__enter__()
        self._span = telemetry.span("graphql")
        if self._span:
            seen.span = span = self._span.__enter__()
            span.set_attribute("propdesk.request_id", self._request_id)
            span.set_attribute("propdesk.role", self._role or "none")
        return seen

    def __exit__(self, *raised: Any) -> None:
        seen = self._seen
        if seen.span:
            _describe(seen.span, seen)
        if seen.type in ("query", "mutation"):
            _seconds(seen.type, seen.root).observe(time.perf_counter() - self._began)
        for code in seen.codes:
            ERRORS.labels(seen.type, code).inc()
        try:
            if self._span:
                self._span.__exit__(*raised)
        finally:
            self._about.__exit__()


@cache
def _seconds(kind: str, root: str) -> Histogram:
    return REQUEST_SECONDS.labels(kind, root)


def _describe(span: Span, seen: Operation) -> None:
    span.update_name(f"{seen.type} {seen.root}")
    span.set_attribute("graphql.operation.type", seen.type)
    if seen.name:
        span.set_attribute("graphql.operation.name", seen.name)
    if seen.codes:
        span.set_attribute("propdesk.error_code", seen.codes[0])
        span.set_status(Status(StatusCode.ERROR, seen.codes[0]))
