"""The endpoint /metrics for Prometheus: measurements of this process, and the desk's figures from the database."""

import asyncio
import shutil
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from prometheus_client import Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.health import ANSWER_SECONDS_MAX, UNREACHABLE
from app.live.hub import Hub
from app.request.bytes_in_flight import BytesInFlight
from config.settings import settings
from services import system
from services.ownership import ShardState
from services.telemetry import REGISTRY, RESPONSES

PATHS = frozenset({"/graphql", "/healthz", "/readyz", "/metrics"})


class DeskCollector(Collector):
    """The desk's figures from the database; None if it could not be read."""

    def __init__(self, now: system.SystemFigures | None) -> None:
        self._now = now

    def collect(self) -> Iterable[Metric]:
        yield _gauge("propdesk_database_up", "Whether the database can be read.", self._now is not None)
        if self._now is None:
            return
        desk, load = self._now.system, self._now.load
        yield _gauge("propdesk_ready", "Whether the desk has everything that it needs to work.", not self._now.missing)
        yield _gauge("propdesk_newest_batch", "The newest batch of quotes.", desk.newest_batch)
        yield _gauge("propdesk_lag_batches", "Batches that are not marked yet.", load.lag_batches)
        yield _gauge("propdesk_lag_seconds", "Age of the oldest batch not marked yet.", load.lag_seconds)
        yield from _shards(self._now.shards)
        yield _gauge("propdesk_jobs_queued", "Jobs in the queue.", desk.queue_depth)
        yield _gauge("propdesk_jobs_dead", "Jobs that failed for good.", desk.dead_jobs)
        yield _gauge("propdesk_accounts_quarantined", "Accounts in quarantine.", desk.quarantined)
        yield _gauge("propdesk_job_wait_seconds", "Wait of the oldest due job.", load.job_wait_seconds)
        yield _gauge("propdesk_events_waiting", "Committed events without a position.", load.events_waiting)
        yield _gauge("propdesk_database_bytes", "The database's size.", load.database_bytes)
        if self._now.book_check is not None:
            violations, age = self._now.book_check
            yield _gauge("propdesk_verify_violations", "Violations in the newest check of the books.", violations)
            yield _gauge("propdesk_verify_age_seconds", "Age of the newest check of the books.", age)
        yield _gauges("propdesk_sign_age_seconds", "Age of the last sign of life.", "kind", self._now.ages)
        yield _gauges("propdesk_quote_age_seconds", "Age of the newest quote.", "symbol", self._now.quote_ages)
        dropped = CounterMetricFamily("propdesk_dropped_quotes", "Quotes that were dropped.", labels=["reason"])
        for reason, many in self._now.dropped.items():
            dropped.add_metric([reason], many)
        yield dropped


class DiskCollector(Collector):
    """The disk of the data folder."""

    def collect(self) -> Iterable[Metric]:
        if (data := settings().data_dir).is_dir():  # else the desk does not run PostgreSQL itself
            yield _gauge("propdesk_disk_free_bytes", "Free space of the data folder.", shutil.disk_usage(data).free)


class SubscriberCollector(Collector):
    """The subscribers of this process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterable[Metric]:
        yield _gauge("propdesk_subscribers", "Subscriptions to events in this process.", self._hub.subscribers)
        yield _gauge("propdesk_hub_head", "Position of the newest event in this process.", self._hub.head)


class InFlightCollector(Collector):
    """The bytes of answers in flight."""

    def __init__(self, flight: BytesInFlight) -> None:
        self._flight = flight

    def collect(self) -> Iterable[Metric]:
        yield _gauge(
            "propdesk_flight_bytes",
            "Bytes of answers that are being computed, or that clients have not read yet.",
            self._flight.bytes,
        )


class MetricsRoute:
    """The route /metrics."""

    def __init__(self, hub: Hub, flight: BytesInFlight) -> None:
        self._hub = hub
        self._flight = flight

    async def answer(self, request: Request) -> Response:
        """Respond with all figures; those of the database are read now."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                now = await system.read_figures()
        except UNREACHABLE:
            now = None
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        registry = CollectorRegistry()
        registry.register(DeskCollector(now))
        registry.register(DiskCollector())
        registry.register(SubscriberCollector(self._hub))
        registry.register(InFlightCollector(self._flight))
        registry.register(REGISTRY)
        return Response(encode(registry), media_type=media_type)


class RequestCounter:
    """Middleware that counts HTTP responses by path and status."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        path = scope["path"] if scope["path"] in PATHS else "other"

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                _responses(path, message["status"]).inc()
            await send(message)

        return self.app(scope, receive, counting)


def _shards(states: Sequence[ShardState]) -> Iterable[Metric]:
    yield _gauges(
        "propdesk_shard_through",
        "Batch through which a shard is marked.",
        "shard",
        {s.shard: s.through for s in states},
    )
    lags = {s.shard: s.lag_seconds for s in states}
    yield _gauges("propdesk_shard_lag_seconds", "Age of the oldest batch not marked yet.", "shard", lags)
    owners = GaugeMetricFamily(
        "propdesk_shard_owner", "The process that owns a shard; 0 if none does.", labels=["shard", "owner"]
    )
    for state in states:
        owners.add_metric([str(state.shard), state.owner or ""], state.owner is not None)
    yield owners


@cache
def _responses(path: str, status: int) -> Counter:
    return RESPONSES.labels(path, str(status))


def _gauge(name: str, description: str, value: float) -> Metric:
    return GaugeMetricFamily(name, description, value)


def _gauges(name: str, description: str, label: str, values: Mapping[Any, float]) -> Metric:
    gauges = GaugeMetricFamily(name, description, labels=[label])
    for key, value in values.items():
        gauges.add_metric([str(key)], value)
    return gauges
