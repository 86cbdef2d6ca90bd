"""Worker shutdown within a time limit, even if the broker does not respond."""

import logging
import threading
from collections.abc import Callable

from dramatiq import Broker, Worker

from config import broker as brokers

STOP_SECONDS_MAX = 10  # for the messages in progress
BROKER_SECONDS_MAX = 2  # then for acknowledgements and for closing connections

log = logging.getLogger(__name__)


def end(worker: Worker, broker: Broker) -> None:
    """Stop the worker and disconnect its broker, within the sum of both time limits.

    Dramatiq's timeouts add up and it repeats acknowledgements for ever, so a broker that does not respond would keep
    the process alive. The broker delivers unacknowledged messages to another worker.
    """

    def stop() -> None:
        worker.stop(timeout=STOP_SECONDS_MAX * 1000)
        brokers.disconnect(broker)

    if not within(STOP_SECONDS_MAX + BROKER_SECONDS_MAX, stop):
        log.warning("the broker does not answer; the worker ends without it, and another one gets its messages")
        broker.emit_after("worker_shutdown", worker)


def within(seconds: float, work: Callable[[], None]) -> bool:
    """Run the work on a daemon thread; return whether it finished in time. Raises the work's exception."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            errors.append(error)

    thread = threading.Thread(target=run, name="end", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    return not thread.is_alive()
