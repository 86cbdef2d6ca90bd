"""The message broker: Dramatiq on PostgreSQL. It carries wake-ups and nothing else; what is owed stands in tables."""

import uuid
from typing import Any

import psycopg
from dramatiq import Message, Middleware
from dramatiq_postgres import PostgresBroker, init
from psycopg import Connection
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from config.address import libpq_parameters

QUEUES = {"work_queue": "jobs", "evaluator": "marks", "mark_to_market": "marks"}
"""The actors, and the queue each is called through: what judges accounts does not wait behind jobs."""

WORKER_THREADS = 4
HEARTBEAT_SECONDS = 5.0
DEAD_AFTER_SECONDS = 15.0  # a killed worker's messages are handed to another

SENDER_CONNECTIONS = 1
# Two consumers a queue (one for delayed messages), the listener, a connection for each thread's acknowledgement, and
# our own sender: with fewer the broker waits for a connection without saying so.
WORKER_CONNECTIONS = 2 * len(set(QUEUES.values())) + 1 + WORKER_THREADS + SENDER_CONNECTIONS

SCHEMA = "dramatiq"
GRANTS = (
    "GRANT USAGE ON SCHEMA {} TO {}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {} TO {}",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA {} TO {}",
)

_NAMESPACE = uuid.UUID("6f0e5c0a-4f0d-4a53-9a3e-0d9a3f9d2c11")


class Unavailable(PoolClosed):
    """The broker's database cannot be reached now. A PoolClosed, because that is what the broker does not retry itself:
    its own pauses grow to half a minute, and both worker and sender try again sooner."""


class Pool(ConnectionPool):
    """Says within seconds that it has no connection to give."""

    def getconn(self, timeout: float | None = None) -> Connection[Any]:
        try:
            return super().getconn(timeout)
        except PoolTimeout as error:
            raise Unavailable(str(error)) from None


def connect(url: str, *, connections: int, middleware: list[Middleware]) -> PostgresBroker:
    """A broker on `url`, whose connections are opened when first needed. Raises Problem for another scheme."""
    keepalive = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 2, "tcp_user_timeout": 10_000}
    pool = Pool(
        kwargs=libpq_parameters(url, "BROKER_URL") | keepalive | {"application_name": "propdesk-broker"},
        min_size=0,
        max_size=connections,
        timeout=2,
        reconnect_timeout=1,
        check=ConnectionPool.check_connection,
        open=True,
    )
    return PostgresBroker(
        pool=pool,
        results=False,
        middleware=middleware,
        heartbeat_interval=HEARTBEAT_SECONDS,
        heartbeat_ttl=DEAD_AFTER_SECONDS,
        maintenance_interval=HEARTBEAT_SECONDS,
    )


def disconnect(broker: PostgresBroker) -> None:
    """Close the broker and the connections we lent it."""
    broker.close()
    broker.pool.close()


def wake_up(actor: str, *args: int) -> Message[Any]:
    """The message that wakes `actor`. Its id is fixed by actor and arguments: a second one falls on the first."""
    message_id = uuid.uuid5(_NAMESPACE, f"{actor}{args}")
    return Message(
        queue_name=QUEUES[actor], actor_name=actor, args=args, kwargs={}, options={}, message_id=str(message_id)
    )


def create_tables(url: str, *, reader: str | None = None) -> None:
    """Create the broker's tables where they are missing; safe in several processes at once.

    `reader`: a role that uses them too, besides the one that `url` logs in as.
    """
    with psycopg.connect("", **libpq_parameters(url, "BROKER_URL")) as conn, conn.cursor() as cursor:
        init(cursor)
        if reader:
            for grant in GRANTS:
                cursor.execute(grant.format(SCHEMA, reader))
