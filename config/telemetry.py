"""OpenTelemetry: one span for each operation. Nothing is recorded until the operator configures an SDK.

Which is done without us: `opentelemetry-instrument propdesk serve`, with the SDK and an exporter installed beside.
"""

from opentelemetry import trace
from opentelemetry.trace import Tracer

NAME = "propdesk"


def tracer() -> Tracer:
    """The tracer of what the operator has configured; one that does nothing without it."""
    return trace.get_tracer(NAME)
