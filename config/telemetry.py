"""OpenTelemetry: one span for each operation. Nothing is recorded until the operator configures an SDK.

Which is done without us: `opentelemetry-instrument propdesk serve`, with the SDK and an exporter installed beside.
"""

from contextlib import AbstractContextManager

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind

NAME = "propdesk"


def span(name: str) -> AbstractContextManager[Span] | None:
    """A server's span in what the operator has configured; None without it."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        return None
    return provider.get_tracer(NAME).start_as_current_span(name, kind=SpanKind.SERVER)
