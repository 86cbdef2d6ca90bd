"""HTTP endpoint of a worker's Prometheus metrics, on its own port."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import start_http_server

from config.errors import Problem
from config.headers import SAFETY
from config.settings import Settings
from services.telemetry import REGISTRY

Answer = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
"""A WSGI application."""


@contextmanager
def answering(settings: Settings) -> Iterator[None]:
    """Serve metrics at PROPDESK_WORKER_METRICS_PORT, if set, during the block. Raises Problem if the port is in use."""
    if settings.worker_metrics_port is None:
        yield
        return
    try:
        server, thread = start_http_server(settings.worker_metrics_port, settings.host, REGISTRY)
    except OSError as error:
        raise Problem(
            f"cannot listen on {settings.host}:{settings.worker_metrics_port} ({error.strerror}); "
            "set another PROPDESK_WORKER_METRICS_PORT"
        ) from None
    app = server.get_app()
    assert app, "it answers already"
    server.set_app(_with_headers(app))
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _with_headers(app: Answer) -> Answer:
    """Return the application with the security headers that every response of the API has."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        def begin(status: str, headers: list[tuple[str, str]], *others: Any) -> Any:
            return start(status, [*headers, *SAFETY.items()], *others)

        return app(environ, begin)

    return answer
