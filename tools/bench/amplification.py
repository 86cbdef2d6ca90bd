"""The cost of an account's change for many heavy subscribers of one bearer, compared with one subscriber."""

import asyncio
import json
import time
from statistics import median

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tools.bench.harness import Figure
from tools.bench.population import FIRST

EACH = 95  # subscriptions over one websocket
PAUSE_SECONDS = 0.1  # between looks at what has come
WAIT_SECONDS_MAX = 15  # for all to be told; a bearer without processor time is told later
SPARE = 1.1  # ids of operations are not all of one length
FIELDS = "id brand mode status currency cash equity balance seq markedThrough policy"
DOCUMENT = f"""subscription ($id: ID!) {{ accountUpdates(accountId: $id) {{ {FIELDS} snapshot {{ equity }}
  {" ".join(f"p{number}: positions(first: 100) {{ nodes {{ id symbol side quantity }} }}" for number in range(25))}
  ledger(first: 1000) {{ nodes {{ id seq kind amount balanceAfter marketTime hash facts }} }}
  challenge {{ id status phases {{ id phaseIndex status }} }} }} }}"""


class _Subscriber:
    """A websocket with subscriptions, all of them read."""

    def __init__(self, socket: ClientConnection) -> None:
        self.messages = self.bytes = 0
        self._socket = socket

    async def subscribe(self, token: str, many: int) -> None:
        await self._send(type="connection_init", payload={"authorization": f"Bearer {token}"})
        await self._socket.recv()
        for number in range(many):
            payload = {"query": DOCUMENT, "variables": {"id": str(FIRST)}}
            await self._send(type="subscribe", id=str(number), payload=payload)

    async def _send(self, **message: object) -> None:
        await self._socket.send(json.dumps(message))

    async def close(self) -> None:
        await self._socket.close()

    async def read(self) -> None:
        async for message in self._socket:
            assert '"next"' in message[:100], message[:200]
            self.messages += 1
            self.bytes += len(message)


async def amplification_figures(port: int, token: str, heavy: int, changes: int) -> list[Figure]:
    """Processor time of the server and bytes to its clients, a change; so many subscribers against one."""
    (alone, alone_bytes), (many, many_bytes) = [await _measured(port, token, number, changes) for number in (1, heavy)]
    return [
        Figure(
            f"{name} of a change, {heavy} heavy subscribers of one bearer",
            "one such subscriber",
            (ours / one,),
            round(heavy * SPARE, 1),
            at_most=True,
            said=f"{ours * scale:,.1f} : {one * scale:,.1f} {unit}",
        )
        for name, ours, one, scale, unit in (
            ("processor time", many, alone, 1000, "ms"),
            ("bytes", many_bytes, alone_bytes, 1 / 1024, "KiB"),
        )
    ]


async def _measured(port: int, token: str, many: int, changes: int) -> tuple[float, float]:
    """Processor seconds and bytes of one change: the median of some."""
    url, processor, sent = f"ws://127.0.0.1:{port}/graphql", [], []
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as http:
        subscribers = []
        for start in range(0, many, EACH):
            socket = await connect(url, subprotocols=[Subprotocol("graphql-transport-ws")], max_size=None)
            subscribers.append(_Subscriber(socket))
            await subscribers[-1].subscribe(token, min(EACH, many - start))
        reading = [asyncio.create_task(one.read()) for one in subscribers]
        await _told(subscribers, many)
        for _ in range(changes):
            before = (await http.get("/processor")).json(), sum(one.bytes for one in subscribers)
            wanted = many + sum(one.messages for one in subscribers)
            await http.post("/change", params={"account": FIRST})
            await _told(subscribers, wanted)
            processor.append((await http.get("/processor")).json() - before[0])
            sent.append(sum(one.bytes for one in subscribers) - before[1])
        for task in reading:
            task.cancel()
        for one in subscribers:
            await one.close()
    return median(processor), max(1.0, median(sent))


async def _told(subscribers: list[_Subscriber], messages: int) -> None:
    """Wait until they have so many messages."""
    until = time.monotonic() + WAIT_SECONDS_MAX
    while sum(one.messages for one in subscribers) < messages and time.monotonic() < until:  # noqa: ASYNC110 - as they come
        await asyncio.sleep(PAUSE_SECONDS)
