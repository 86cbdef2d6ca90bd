"""Helpers of the tests of subscriptions: events of invented challenges, and the steps of a subscription."""

import json
from typing import Any

from websockets.asyncio.client import ClientConnection

from services.supervision import Supervisor
from services.unit_of_work.openings import transaction
from tests.api.clients import send

NAME = "prop.challenge.warning"


async def emit(challenge: int, *payloads: dict[str, Any], brand: str = "acme") -> None:
    """Write events in one transaction."""
    async with transaction() as work:
        for payload in payloads:
            work.emit(NAME, brand=brand, challenge_id=challenge, payload=payload)


def a_supervisor() -> Supervisor:
    """Return a supervisor that restarts a failed task without end."""
    return Supervisor(1_000_000, lambda: None)


async def subscribe(
    socket: ClientConnection, token: str, query: str, *, operation: str = "1", **variables: Any
) -> None:
    """Authenticate a connection and subscribe."""
    await send(socket, type="connection_init", payload={"authorization": f"Bearer {token}"})
    assert json.loads(await socket.recv())["type"] == "connection_ack"
    await send(socket, type="subscribe", id=operation, payload={"query": query, "variables": variables})
