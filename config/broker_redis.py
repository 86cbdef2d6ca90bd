"""The broker on Redis: Dramatiq's own, with wake-ups that take each other's place and a bell for idle consumers."""

import time
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import redis
from dramatiq import Message, MessageProxy, Middleware
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.broker_link import Link, WakeUpBroker
from config.errors import Problem

NAMESPACE = "propdesk"  # before every key
OLDEST_MILLISECONDS = 3_600_000  # what nobody took for so long, Redis forgets
BELL_SECONDS = 1  # that an idle consumer waits for the bell at a time
POLL_MILLISECONDS = 5  # before a consumer without a place for another message looks again
DEAD_AFTER_MILLISECONDS = 60_000  # a killed worker's messages are handed to another
MAINTENANCE_CHANCE = 10_000  # of a million calls, each of which looks for dead workers: about every half minute

# An address may set each of these itself (?socket_timeout=2).
OPTIONS = {
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 15,
    "client_name": "propdesk-broker",
    "protocol": 2,  # of the third, a missing password is answered with a riddle
}

# The list of what waits, its messages, the bell; the wake-up's name, this message's id, its text, the age limit.
PLACE = """
local ids = redis.call('lrange', KEYS[1], 0, -1)
local placed = 0
for place, id in ipairs(ids) do
    if string.sub(id, 1, #ARGV[1]) == ARGV[1] then
        redis.call('lset', KEYS[1], place - 1, ARGV[2])
        redis.call('hdel', KEYS[2], id)
        placed = 1
        break
    end
end
redis.call('hset', KEYS[2], ARGV[2], ARGV[3])
if placed == 0 then
    redis.call('rpush', KEYS[1], ARGV[2])
end
redis.call('pexpire', KEYS[1], ARGV[4])
redis.call('pexpire', KEYS[2], ARGV[4])
redis.call('del', KEYS[3])
redis.call('rpush', KEYS[3], 1)
redis.call('pexpire', KEYS[3], ARGV[4])
return placed
"""


class RedisWakeUps(WakeUpBroker, RedisBroker):
    """At most one message waits for each actor and arguments, the newest."""

    def __init__(self, url: str, link: Link, middleware: list[Middleware]) -> None:
        self.link = link
        client = redis.Redis(connection_pool=_pool(url))
        super().__init__(  # type: ignore[no-untyped-call]
            client=client,
            middleware=middleware,
            namespace=NAMESPACE,
            heartbeat_timeout=DEAD_AFTER_MILLISECONDS,
            dead_message_ttl=OLDEST_MILLISECONDS,
            maintenance_chance=MAINTENANCE_CHANCE,
        )
        self.place = client.register_script(PLACE)

    @property
    def consumer_class(self) -> type["Listening"]:
        return Listening

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Send the message in the place of the one that waits with its id, or behind all others."""
        assert delay is None, "no message is delayed"
        name = f"{message.message_id}:"
        message = message.copy(options={"redis_message_id": f"{name}{uuid4()}"})
        queue = f"{self.namespace}:{message.queue_name}"
        self.emit_before("enqueue", message, delay)
        self.place(
            keys=[queue, f"{queue}.msgs", f"{queue}.bell"],
            args=[name, message.options["redis_message_id"], message.encode(), OLDEST_MILLISECONDS],
        )
        self.emit_after("enqueue", message, delay)
        return message

    def probe(self) -> None:
        self.client.ping()

    def disconnect(self) -> None:
        self.close()
        self.client.connection_pool.disconnect()


class Listening(_RedisConsumer):
    """Dramatiq's consumer sleeps after each empty fetch; this one waits for the queue's bell, which rings at once."""

    def __init__(self, broker: RedisWakeUps, queue_name: str, prefetch: int, timeout: int) -> None:
        super().__init__(broker, queue_name, prefetch, 0)  # type: ignore[no-untyped-call] # 0: no sleep
        self.bell = f"{broker.namespace}:{queue_name}.bell"

    def __next__(self) -> MessageProxy | None:
        message: MessageProxy | None = super().__next__()  # type: ignore[no-untyped-call]
        if message is not None:
            return message
        if self.outstanding_message_count >= self.prefetch:
            time.sleep(POLL_MILLISECONDS / 1000)
            return None
        try:
            self.broker.client.blpop([self.bell], timeout=BELL_SECONDS)
        except redis.ConnectionError as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]
        return None


def _pool(url: str) -> redis.ConnectionPool:
    """Return connections to the address, none of them open. Raises Problem when the address cannot be read."""
    path = urlsplit(url).path.removeprefix("/")
    if path and not path.isdigit():
        raise Problem(f"BROKER_URL is not a Redis address: {path!r} is no database's number")
    try:
        pool = redis.ConnectionPool.from_url(url, retry=Retry(NoBackoff(), 1), **OPTIONS)
        pool.make_connection()  # which opens nothing, and refuses what no connection has
    except TypeError as error:
        raise Problem(f"BROKER_URL has an option that no connection to Redis has: {error}") from None
    except (ValueError, redis.RedisError) as error:
        raise Problem(f"BROKER_URL is not a Redis address: {error}") from None
    return pool
