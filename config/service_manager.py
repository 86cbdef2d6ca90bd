"""Notifications to systemd (sd_notify): the process is ready, alive or stopping.

Without NOTIFY_SOCKET, as under `propdesk up` or in a container, nothing is sent.
"""

import asyncio
import logging
import os
import socket

ALIVE_SECONDS = 2.0  # far less than WatchdogSec of the units

READY, ALIVE, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"

log = logging.getLogger(__name__)


def tell(state: str) -> None:
    """Send a state to systemd. A failure is logged and otherwise ignored."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # a name in the abstract namespace of Linux
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(address)
            sender.send(state.encode())
    except OSError as error:
        log.warning("systemd cannot be told %s: %s", state, error)


async def tell_alive_for_ever() -> None:
    """Tell systemd that this event loop runs, until cancelled. A process silent for WatchdogSec is ended."""
    while True:
        tell(ALIVE)
        await asyncio.sleep(ALIVE_SECONDS)
