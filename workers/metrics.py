"""A worker's figures for Prometheus, at a port of its own: it serves nothing else."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import start_http_server

from config.errors import Problem
from config.headers import SAFETY
from config.settings import Settings
from services.telemetry import REGISTRY

Answer = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
"""An application of WSGI."""


@contextmanager
def answering(settings: Settings) -> Iterator[None]:
    """Answer at PROPDESK_WORKER_METRICS_PORT meanwhile, if that is set. Raises Problem when it is taken."""
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
    """Return the application with the headers that every answer of the API has."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        def begin(status: str, headers: list[tuple[str, str]], *others: Any) -> Any:
            return start(status, [*headers, *SAFETY.items()], *others)

        return app(environ, begin)

    return answer
