"""Metrics of this process's own work, for Prometheus: one registry, one name for each figure.

Times are in seconds. Labels have fixed values, never a client's text, so that the number of series is bounded. Figures
in the database are not measured here; they are read when somebody asks (`services/system.py`).
"""

import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from config import database, wakeups

REGISTRY = CollectorRegistry()

_QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LONG = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

REQUEST_SECONDS = Histogram(
    "propdesk_request_seconds",
    "Queries and mutations, by their root field; `several` for more than one.",
    ("operation", "field"),
    buckets=_QUICK,
    registry=REGISTRY,
)
ERRORS = Counter(
    "propdesk_errors", "Errors beside the data of an answer, by code.", ("operation", "code"), registry=REGISTRY
)
REFUSALS = Counter("propdesk_refusals", "User errors of mutations, by code.", ("code",), registry=REGISTRY)
RESPONSES = Counter("propdesk_http_responses", "HTTP answers, by status.", ("path", "status"), registry=REGISTRY)
ACTION_BATCH_SECONDS = Histogram(
    "propdesk_action_batch_seconds",
    "Batches of decision actions, from their arrival to the commit.",
    buckets=_QUICK,
    registry=REGISTRY,
)
ACTIONS = Counter(
    "propdesk_actions",
    "Decision actions, by the answer and the gate that refused.",
    ("status", "code"),
    registry=REGISTRY,
)
ACTIONS_UNSTORED = Counter(
    "propdesk_actions_unstored",
    "Decision actions of those that were refused without a trace: unreadable, on an account that cannot trade, or "
    "beyond its share of stored refusals.",
    ("code",),
    registry=REGISTRY,
)
PASS_SECONDS = Histogram(
    "propdesk_pass_seconds",
    "Passes: one batch of quotes against every live account of a shard, results written.",
    ("shard",),
    buckets=_LONG,
    registry=REGISTRY,
)
JOB_SECONDS = Histogram(
    "propdesk_job_seconds",
    "Attempts at jobs, by kind and by what came of them.",
    ("kind", "outcome"),
    buckets=_LONG,
    registry=REGISTRY,
)
LISTS_CUT = Counter(
    "propdesk_lists_cut",
    "Pages and counts of lists that ended at the limit of rows they may look at, by what it was: page, count.",
    ("kind",),
    registry=REGISTRY,
)
UNREADABLE_ROWS = Counter(
    "propdesk_unreadable_rows", "Rows left out of a list because they cannot be read.", ("type",), registry=REGISTRY
)
SUSPECT_QUOTES = Counter(
    "propdesk_suspect_quotes",
    "Quotes that the guard of their instrument found suspect: warned, held, confirmed, dropped.",
    ("outcome", "finding"),
    registry=REGISTRY,
)
STAMPED = Counter("propdesk_events_stamped", "Events this process gave their position.", registry=REGISTRY)
EVENT_DELAY_SECONDS = Histogram(
    "propdesk_event_delay_seconds",
    "From an event's writing, just before its commit, until all who follow live have been handed it.",
    buckets=_QUICK,
    registry=REGISTRY,
)
CONNECTIONS_REFUSED = Counter(
    "propdesk_connections_refused",
    "Connections turned away or closed: too many of the process or of an address; a head too slow or too large; too "
    "many websockets of a token; an answer that its client does not read.",
    ("reason",),
    registry=REGISTRY,
)
ANSWERS_REFUSED = Counter(
    "propdesk_answers_refused",
    "Operations that were not executed, because the bytes on their way to the bearer, or to all, left no room.",
    ("reason",),
    registry=REGISTRY,
)
LOOP_HELD_SECONDS = Histogram(
    "propdesk_loop_held_seconds",
    "Seconds for which the event loop was held at a stretch, looked at a hundred times a second.",
    buckets=(0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1, 5),
    registry=REGISTRY,
)
TASK_FAULTS = Counter(
    "propdesk_task_faults", "Faults of endless tasks, each of which was restarted.", ("task",), registry=REGISTRY
)
CLOCK_OFFSET = Gauge(
    "propdesk_clock_offset_seconds",
    "By how much the database's clock is ahead of this process's.",
    registry=REGISTRY,
)
KEY_FETCHES = Counter(
    "propdesk_jwt_key_fetches",
    "Fetches of the public keys of JWTs, by what came of them: done, failed.",
    ("outcome",),
    registry=REGISTRY,
)
KEY_REFUSALS = Counter(
    "propdesk_jwt_key_refusals",
    "Bearers of JWTs with an unknown key that were turned away, because too many waited for the keys.",
    registry=REGISTRY,
)
POOL_WAIT_SECONDS = Histogram(
    "propdesk_pool_wait_seconds", "Waiting for a connection of the pool.", buckets=_QUICK, registry=REGISTRY
)

OUTAGES = Counter("propdesk_database_outages", "Times that this process found its database away.", registry=REGISTRY)
DATABASE_AWAY_SECONDS = Counter(
    "propdesk_database_away_seconds", "Seconds for which this process found its database away.", registry=REGISTRY
)
READS = Counter(
    "propdesk_reads",
    "Lists and counts that may be a moment old, by the server that answered: standby; primary, because the standby was "
    "away or too far behind (behind), its bearer had written (written), or replay cut the read off (conflict).",
    ("server", "reason"),
    registry=REGISTRY,
)
STANDBY_LAG_SECONDS = Gauge(
    "propdesk_standby_lag_seconds", "How far the standby was behind when last seen.", registry=REGISTRY
)
ADMISSION_REFUSALS = Counter(
    "propdesk_admission_refusals",
    "Requests for a connection that were refused: too many of the bearer waited (queue), its turn did not come in "
    "time (wait), or not as long as it was over its share of statement seconds (share).",
    ("reason",),
    registry=REGISTRY,
)
SLOWED = Counter(
    "propdesk_database_slowed",
    "Times that a bearer or brand came over its share of statement seconds while others asked: from then on it has "
    "fewer connections at once.",
    ("kind",),
    registry=REGISTRY,
)
STOPPED = Counter(
    "propdesk_documents_stopped",
    "Documents stopped before they were answered: their time was over, or their client had gone.",
    ("code",),
    registry=REGISTRY,
)


class timed:  # noqa: N801 - used like a function
    """Observe how long the body took, also if it raised."""

    __slots__ = ("_began", "_histogram")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_raised: object) -> None:
        self._histogram.observe(time.perf_counter() - self._began)


class Pool(Collector):
    """The connections of this process's pool."""

    def collect(self) -> Iterable[Metric]:
        connections = GaugeMetricFamily("propdesk_pool_connections", "Connections of the pool.", labels=["state"])
        for state, many in database.pool_use().items():
            connections.add_metric([state], many)
        yield connections


class WakeUps(Collector):
    """This process's messages through the broker."""

    def collect(self) -> Iterable[Metric]:
        if (is_up := wakeups.is_up()) is not None:
            yield GaugeMetricFamily("propdesk_broker_up", "Whether this process reaches the broker.", float(is_up))
            yield CounterMetricFamily("propdesk_broker_faults", "Failures to use the broker.", float(wakeups.faults()))
        messages = CounterMetricFamily(
            "propdesk_wakeups",
            "Wake-ups: sent; merged with one that waited in this process; failed to be sent, to be tried again; "
            "received by a worker; dropped, because they were too old, what they called failed, or the process ended.",
            labels=["outcome"],
        )
        for outcome, many in wakeups.counts().items():
            messages.add_metric([outcome], many)
        yield messages


REGISTRY.register(Pool())
REGISTRY.register(WakeUps())
ProcessCollector(registry=REGISTRY)
