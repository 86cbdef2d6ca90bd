"""The broker on RabbitMQ: Dramatiq's own, with queues that hold so much and no more, and connections that answer."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from dramatiq import Message, Middleware
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from config.broker_link import CLOSE_SECONDS_MAX, Link, WakeUpBroker, within
from config.errors import Problem

WAITING_MAX = 128
"""Messages in a queue; then the oldest goes. RabbitMQ does not see that two are the same wake-up, so a flood of one may
push another out: the periodic loop does what that one announced."""

OLDEST_MILLISECONDS = 3_600_000  # what nobody took for so long, RabbitMQ drops

# An address may set each of these itself (?heartbeat=30).
OPTIONS = {
    "heartbeat": 10,  # seconds; a broker that is silent for twice as long is left
    "socket_timeout": 3,
    "stack_timeout": 10,  # for TLS and the login, of several questions each
    "blocked_connection_timeout": 5,  # while RabbitMQ is short of memory or disk it takes nothing
    "connection_attempts": 1,
}


class RabbitmqWakeUps(WakeUpBroker, RabbitmqBroker):
    """Each message is confirmed, which is also how a queue that somebody deleted is noticed and made anew."""

    limits_prefetch = True

    def __init__(self, url: str, link: Link, middleware: list[Middleware]) -> None:
        self.link = link
        parts = urlsplit(url)
        if parts.username is not None and parts.password is None:
            raise Problem("BROKER_URL has a user and no password; RabbitMQ wants amqp://user:password@host/vhost")
        try:
            super().__init__(url=[url], confirm_delivery=True, middleware=middleware)
        except Exception as error:  # noqa: BLE001 - TypeError, ValueError, SyntaxError and OSError, by the option
            raise Problem(f"BROKER_URL is not a RabbitMQ address: {error}") from None
        chosen = parse_qs(parts.query)
        for name, value in OPTIONS.items():
            if name not in chosen:
                setattr(self.parameters[0], name, value)
        self.parameters[0].client_properties = {"connection_name": "propdesk-broker"}

    def prepare(self, queue_name: str) -> None:
        """Make the queue by a connection of this thread's, which is closed at once: nobody would answer for it."""
        self.queues_pending.add(queue_name)
        try:
            self.declare_queue(queue_name, ensure=True)
        finally:
            del self.connection

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Send the message and wait until RabbitMQ has it; a new connection makes the queue first."""
        if getattr(self.state, "connection", None) is None:
            self.queues_pending.add(message.queue_name)
        return super().enqueue(message, delay=delay)

    def probe(self) -> None:
        for queue_name in self.queues:
            self.queues_pending.add(queue_name)
            self.declare_queue(queue_name, ensure=True)
        assert self.channel.is_open, "it has just been opened"

    def keep_alive(self) -> None:
        if getattr(self.state, "connection", None) is not None:
            try:
                self.connection.process_data_events(time_limit=0)
            except Exception:
                del self.connection
                raise

    def disconnect(self) -> None:
        within(CLOSE_SECONDS_MAX, self.close)

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        return {"x-max-length": WAITING_MAX, "x-overflow": "drop-head", "x-message-ttl": OLDEST_MILLISECONDS}

    def _declare_dq_queue(self, queue_name: str) -> None:
        """No message is delayed."""

    def _declare_xq_queue(self, queue_name: str) -> None:
        """No message that failed is kept."""
