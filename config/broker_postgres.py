"""The broker on PostgreSQL: Dramatiq's queue as tables, in the desk's database or another one."""

import threading
from collections.abc import Callable
from typing import Any

import psycopg
from dramatiq import Message, Middleware
from dramatiq.broker import Consumer
from dramatiq_postgres import PostgresBroker, init
from dramatiq_postgres.broker import PostgresConsumer
from psycopg import Connection
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from config.address import libpq_parameters, parse
from config.broker_link import Link, WakeUpBroker
from config.keepalives import keepalives

CONNECT_SECONDS_MAX = 5  # to connect, log in and be looked at, over a slow network too
HEARTBEAT_SECONDS = 5.0
DEAD_AFTER_SECONDS = 15.0  # a killed worker's messages are handed to another

SCHEMA = "dramatiq"
GRANTS = (
    "GRANT USAGE ON SCHEMA {} TO {}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {} TO {}",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA {} TO {}",
)

_TAKE_ROLE = "SELECT set_config('role', %s, false)"
_IS_USABLE = """SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'dramatiq' AND c.relname = 'queue'
  AND has_schema_privilege(n.oid, 'usage') AND has_table_privilege(c.oid, 'insert'))"""


class Unavailable(PoolClosed):
    """The broker's database cannot be reached now. A PoolClosed, because that is what the broker does not retry itself:
    its own pauses grow to half a minute, and both worker and sender try again sooner."""


class Pool(ConnectionPool):
    """Says within seconds that it has no connection to give, and why."""

    refusal = ""  # of the last attempt to connect

    def getconn(self, timeout: float | None = None) -> Connection[Any]:
        try:
            return super().getconn(timeout)
        except PoolTimeout as error:
            raise Unavailable(self.refusal or str(error)) from None

    def _connect(self, timeout: float | None = None) -> Connection[Any]:
        try:
            connection = super()._connect(min(timeout or CONNECT_SECONDS_MAX, CONNECT_SECONDS_MAX))
        except psycopg.Error as error:
            self.refusal = str(error)
            raise
        self.refusal = ""
        return connection


class PostgresWakeUps(WakeUpBroker, PostgresBroker):  # type: ignore[misc] # it has no types
    """A message with the id of one that waits takes its place, so at most one waits for each actor and arguments."""

    def __init__(
        self, url: str, link: Link, connections: int, middleware: list[Middleware], role: str | None = None
    ) -> None:
        """`role`: whom sessions work as; None: whom the URL names."""
        named = {"application_name": "propdesk-broker"}
        pool = Pool(
            kwargs=keepalives().of_libpq() | libpq_parameters(url, "BROKER_URL") | named,
            min_size=0,
            max_size=connections,
            timeout=CONNECT_SECONDS_MAX,
            reconnect_timeout=1,
            configure=_configurer(url, role),
            check=ConnectionPool.check_connection,
            open=True,
        )
        self.link = link
        self.role = role
        PostgresBroker.__init__(
            self,
            pool=pool,
            results=False,
            middleware=middleware,
            heartbeat_interval=HEARTBEAT_SECONDS,
            heartbeat_ttl=DEAD_AFTER_SECONDS,
            maintenance_interval=HEARTBEAT_SECONDS,
        )

    def prepare(self, queue_name: str) -> None:
        with self.pool.connection() as connection, connection.cursor() as cursor:
            if self.role is None:
                init(cursor)
            elif cursor.execute(_IS_USABLE).fetchone() != (True,):  # wiped, or never granted: the login makes it so
                cursor.execute("RESET ROLE")
                init(cursor)
                _grant(cursor, self.role)
                cursor.execute(_TAKE_ROLE, (self.role,))

    def consumer(self, queue_name: str, prefetch: int, timeout: int) -> Consumer:
        return Prompt(broker=self, queue_name=queue_name, prefetch=prefetch, timeout=timeout)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Send once: the library tries ten times, for minutes, where our sender tries again by itself."""
        sent: Message[Any] = PostgresBroker.enqueue.__wrapped__(self, message, delay=delay)
        return sent

    def probe(self) -> None:
        with self.pool.connection() as connection:
            connection.execute(f"SELECT 1 FROM {SCHEMA}.queue LIMIT 1")

    def disconnect(self) -> None:
        self.close()
        self.pool.close()


class Bell(threading.Event):
    """Stays set until somebody has waited for it: what rings between a look at the queue and the wait is heard."""

    def clear(self) -> None:
        """Do nothing: the library clears the event after it has looked, which would lose a notification in between."""

    def wait(self, timeout: float | None = None) -> bool:
        rang = super().wait(timeout)
        super().clear()
        return rang


class Prompt(PostgresConsumer):  # type: ignore[misc] # it has no types
    """The library's consumer, which hears of every message at once."""

    wakeup: threading.Event

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.broker.notifier.unsubscribe(self.channel, self.wakeup)
        self.wakeup = Bell()
        self.broker.notifier.subscribe(self.channel, self.wakeup)


def _configurer(url: str, role: str | None) -> Callable[[Connection[Any]], None]:
    """Return what gives a session its settings, and its role; it raises where the session does not get that.

    What a crash of the server loses of messages, the tables still say.
    """
    wanted: dict[str, str] = (
        {"synchronous_commit": "off"} | keepalives().of_server() | parse(url, "BROKER_URL").settings
    )

    chosen = "SELECT " + ", ".join(["set_config(%s, %s, false)"] * len(wanted))

    def configure(connection: Connection[Any]) -> None:
        connection.autocommit = True  # no round trips for the transaction: the network may be slow
        connection.execute(chosen.encode(), [text for pair in wanted.items() for text in pair])
        if role is not None:
            connection.execute(_TAKE_ROLE, (role,))
            taken = connection.execute("SELECT current_user::text").fetchone()
            if taken != (role,):
                raise psycopg.OperationalError(f"its sessions work as {taken and taken[0]}, not as {role}")
        connection.autocommit = False

    return configure


def create_queue_tables(url: str, *, reader: str | None = None) -> None:
    """Create the broker's tables where they are missing; safe in several processes at once.

    `reader`: a role that uses them too, besides the one that `url` logs in as.
    """
    parameters: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS_MAX} | keepalives().of_libpq()
    parameters |= libpq_parameters(url, "BROKER_URL")
    with psycopg.connect("", **parameters) as conn, conn.cursor() as cursor:
        init(cursor)
        if reader:
            _grant(cursor, reader)


def _grant(cursor: psycopg.Cursor[Any], role: str) -> None:
    for grant in GRANTS:
        cursor.execute(grant.format(SCHEMA, role).encode())
