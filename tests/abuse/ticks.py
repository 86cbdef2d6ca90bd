"""Subscriptions that amplify: 190 that each ask for much of one account, which then trades twice a second."""

import asyncio
import json
import time
from contextlib import AsyncExitStack, suppress

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.abuse.desk import SUBMIT, Desk, Tally

NAME, BEARER = "190 heavy accountUpdates, half of them unread", "MANAGER"
SOCKETS, OPERATIONS = 2, 95
PAUSE_SECONDS = 0.5
DOCUMENT = """subscription ($id: ID!) { accountUpdates(accountId: $id) {
  id equity seq snapshot { equity } decisionContext { rules { rule } }
  ledger(first: 1000) { nodes { id seq kind amount balanceAfter marketTime hash facts } }
  fills(first: 1000) { nodes { id price quantity fee realised } }
  decisionActions(first: 1000) { nodes { id status code } } } }"""


async def attack(desk: Desk, until: float) -> Tally:
    """Subscribe over SOCKETS websockets, of which only the first is read, and trade."""
    tally = Tally()
    account = desk.accounts[0]
    async with AsyncExitStack() as stack:
        reading = []
        for number in range(SOCKETS):
            socket = await stack.enter_async_context(
                connect(
                    f"ws://127.0.0.1:{desk.port}/graphql",
                    subprotocols=[Subprotocol("graphql-transport-ws")],
                    max_size=None,
                    max_queue=1,
                    close_timeout=0.1,
                )
            )
            await _subscribe(socket, desk.tokens[BEARER], account)
            if number % 2 == 0:
                reading.append(asyncio.create_task(_read(socket, tally)))
        number = 0
        while time.monotonic() < until:
            given = {"accountId": account, "runId": f"ticks-{time.time_ns()}", "actions": [_action(number)]}
            await desk.ask("TRADER", SUBMIT, input=given)
            number += 1
            await asyncio.sleep(PAUSE_SECONDS)
        for task in reading:
            task.cancel()
    tally.answers["actions"] = number
    return tally


async def _subscribe(socket: ClientConnection, token: str, account: str) -> None:
    init = {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}
    await socket.send(json.dumps(init))
    await socket.recv()
    for number in range(OPERATIONS):
        payload = {"query": DOCUMENT, "variables": {"id": account}}
        with suppress(ConnectionClosed):
            await socket.send(json.dumps({"type": "subscribe", "id": str(number), "payload": payload}))


async def _read(socket: ClientConnection, tally: Tally) -> None:
    with suppress(ConnectionClosed):
        async for message in socket:
            tally.answers["messages"] += 1
            tally.bytes += len(message)


def _action(number: int) -> dict[str, str]:
    verb = "CLOSE" if number % 2 else "OPEN"
    what = {"actionId": "1", "action": verb, "symbol": "EURUSD", "side": "LONG"}
    return what | ({"quantity": "1000"} if verb == "OPEN" else {})
