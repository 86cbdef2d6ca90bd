"""OpenTelemetry tracing: one span per operation. No span is recorded until the operator configures an SDK.

To do so, install the SDK and an exporter and run `opentelemetry-instrument propdesk serve`.
"""

from contextlib import AbstractContextManager

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind

NAME = "propdesk"


def span(name: str) -> AbstractContextManager[Span] | None:
    """Start a server span; return None if no SDK is configured."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        return None
    return provider.get_tracer(NAME).start_as_current_span(name, kind=SpanKind.SERVER)
