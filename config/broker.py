"""The message broker: Dramatiq on PostgreSQL, Redis or RabbitMQ. It carries wake-ups and nothing else.

What is owed stands in tables, and the workers look there anyway. So a broker that is away, wiped or slow costs a moment
and loses nothing, and a desk whose broker refuses it starts and works.
"""

import importlib.util
import logging
import uuid
from typing import Any
from urllib.parse import SplitResult, urlsplit

from dramatiq import Broker, Message, Middleware

from config import address
from config.broker_link import Link, WakeUpBroker, innermost_reason
from config.errors import Problem
from config.sessions import APPLICATION_ROLE

QUEUES = {"work_queue": "jobs", "evaluator": "marks", "mark_to_market": "marks"}
"""The actors, and the queue each is called through: what judges accounts does not wait behind jobs."""

WORKER_THREADS = 4

SENDER_CONNECTIONS = 1
# On PostgreSQL: a consumer a queue, the listener, a connection for each thread's acknowledgement, and our own sender:
# with fewer the broker waits for a connection without saying so.
WORKER_CONNECTIONS = len(set(QUEUES.values())) + 1 + WORKER_THREADS + SENDER_CONNECTIONS

EXTRAS = {  # by scheme: the extra that brings the client, and the module by which we know that it is there
    "redis": ("redis", "redis"),
    "rediss": ("redis", "redis"),
    "amqp": ("rabbitmq", "pika"),
    "amqps": ("rabbitmq", "pika"),
}
PORTS = {"redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671}

log = logging.getLogger(__name__)

_NAMESPACE = uuid.UUID("6f0e5c0a-4f0d-4a53-9a3e-0d9a3f9d2c11")


def is_postgresql(url: str) -> bool:
    """Whether the broker's queue is tables."""
    return urlsplit(url).scheme in address.SCHEMES


def require_supported(url: str | None) -> None:
    """Raise Problem when BROKER_URL is of no broker we know, cannot be read, or its client is not installed.

    Connects to nothing: a broker that cannot be reached keeps no desk from starting.
    """
    if url is None:
        return
    if _parts(url).scheme in address.SCHEMES:
        address.libpq_parameters(url, "BROKER_URL")
    else:
        disconnect(connect(url, connections=1, middleware=[]))


def connect(url: str, *, connections: int, middleware: list[Middleware], is_database: bool = False) -> Broker:
    """A broker on `url`, whose connections are opened when first needed: `connections` at most, on PostgreSQL.

    `is_database`: it is the desk's own database, in which sessions work as the desk's role, and whose absence is
    already said by those who need it more. Raises
    Problem as `require_supported` does.
    """
    scheme = _parts(url).scheme
    link = Link(shown(url), logging.DEBUG if is_database else logging.WARNING)
    if scheme in address.SCHEMES:
        from config.broker_postgres import PostgresWakeUps

        role = APPLICATION_ROLE if is_database else None
        return PostgresWakeUps(url, link, connections, middleware, role)
    extra, module = EXTRAS[scheme]
    if importlib.util.find_spec(module) is None:
        raise Problem(
            f"BROKER_URL is a {scheme}:// address and the package {module!r} is not installed; "
            f"run: pip install 'propdesk[{extra}]'"
        )
    if extra == "redis":
        from config.broker_redis import RedisWakeUps

        return RedisWakeUps(url, link, middleware)
    from config.broker_rabbitmq import RabbitmqWakeUps

    return RabbitmqWakeUps(url, link, middleware)


def disconnect(broker: Broker) -> None:
    """Close the broker and its connections."""
    if isinstance(broker, WakeUpBroker):
        broker.disconnect()
    else:
        broker.close()


def create_tables(url: str, *, reader: str | None = None) -> None:
    """Create the tables of a broker on PostgreSQL where they are missing; the others need nothing.

    `reader`: a role that uses them too, besides the one that `url` logs in as.
    """
    if is_postgresql(url):
        from config import broker_postgres

        broker_postgres.create_queue_tables(url, reader=reader)


def prepare(url: str) -> None:
    """Create the tables of a broker of its own; one that cannot be reached now is left to the workers, in one line."""
    try:
        create_tables(url)
    except Exception as error:  # noqa: BLE001 - whatever the broker's trouble, the desk works without
        log.warning(
            "the broker %s cannot be prepared: %s; the workers prepare it once it is back",
            shown(url),
            innermost_reason(error),
        )


def shown(url: str) -> str:
    """The address without its login, for messages."""
    parts = _parts(url)
    if parts.scheme in address.SCHEMES:
        return f"{parts.scheme}://{address.spoken(url)}"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or "localhost"
    return f"{parts.scheme}://{host}:{parts.port or PORTS[parts.scheme]}{parts.path}"


def _parts(url: str) -> SplitResult:
    """The address taken apart. Raises Problem for a scheme we do not know, or a port that is none."""
    known = (*address.SCHEMES, *EXTRAS)
    try:
        parts = urlsplit(url)
        if parts.scheme in EXTRAS:
            parts.port  # noqa: B018 - reading it checks it
    except ValueError:  # whose text may quote a part of the password
        raise Problem(
            "BROKER_URL is no address: its port is no number up to 65535, or its host is none; in a password write "
            "%2F for /, %23 for #, %3F for ? and %40 for @"
        ) from None
    if parts.scheme not in known:
        raise Problem(
            f"BROKER_URL has the unsupported scheme {parts.scheme!r}; use postgresql://, redis://, rediss://, amqp:// "
            "or amqps://, or leave it out: then the database carries the messages"
        )
    return parts


def wake_up(actor: str, *args: int) -> Message[Any]:
    """The message that wakes `actor`. Its id is fixed by actor and arguments: a second one falls on the first."""
    message_id = uuid.uuid5(_NAMESPACE, f"{actor}{args}")
    return Message(
        queue_name=QUEUES[actor], actor_name=actor, args=args, kwargs={}, options={}, message_id=str(message_id)
    )
