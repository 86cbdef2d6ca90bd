"""Worker shutdown within a time limit, even if the broker does not respond."""

import logging
import threading
import time
from collections.abc import Callable

from dramatiq import Broker, Worker

from config import broker as brokers

SECONDS_MAX = 18  # from the signal to the end; `propdesk up` kills a process after 20
STOP_SECONDS_MAX = 10  # of these for the messages in progress

log = logging.getLogger(__name__)


def end(worker: Worker, broker: Broker, ends_at: float) -> None:
    """Stop the worker and disconnect its broker until `ends_at`, by the monotonic clock.

    Dramatiq's timeouts add up and it repeats acknowledgements for ever, so a broker that does not respond would keep
    the process alive. The broker delivers unacknowledged messages to another worker.
    """

    def stop() -> None:
        worker.stop(timeout=STOP_SECONDS_MAX * 1000)
        brokers.disconnect(broker)

    if not within(max(ends_at - time.monotonic(), 0), stop):
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
