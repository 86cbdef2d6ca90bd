"""A worker's figures for Prometheus, at a port of its own: it serves nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import start_http_server

from config.errors import Problem
from config.settings import Settings
from services.measures import REGISTRY


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
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
