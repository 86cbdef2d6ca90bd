"""Several API processes on one database: if one dies, subscribers miss and repeat no event."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from services import brands, events, tokens
from tests.api.clients import PATIENCE_SECONDS, TRANSPORT, until
from tests.api.streams import emit, subscribe
from tests.cli.commands import COMMAND, a_free_port
from tests.services.world import ADMIN

QUERY = "subscription ($after: String) { challengeEvents(after: $after) { cursor position } }"
STOP_SECONDS_MAX = 10


@dataclass(slots=True)
class Process:
    """One `propdesk serve`."""

    port: int
    process: asyncio.subprocess.Process

    @property
    def address(self) -> str:
        return f"ws://127.0.0.1:{self.port}/graphql"


@dataclass(slots=True)
class Subscriber:
    """A subscriber that connects to the next process when one is lost, and continues at its cursor."""

    token: str
    processes: list[Process]
    positions: list[int] = field(default_factory=list)
    cursor: str = "0"
    codes: list[int] = field(default_factory=list)  # with which it was closed

    async def run(self) -> None:
        while True:
            try:
                await self._follow(self.processes[0])
            except ConnectionClosed as closed:
                self.codes.append(closed.rcvd.code if closed.rcvd else 1006)
            except (OSError, WebSocketException):
                await asyncio.sleep(0.05)
            self.processes.append(self.processes.pop(0))

    async def _follow(self, process: Process) -> None:
        async with connect(process.address, subprotocols=[TRANSPORT]) as socket:
            await subscribe(socket, self.token, QUERY, after=self.cursor)
            while True:
                message = json.loads(await socket.recv())
                assert message["type"] == "next", message
                event = message["payload"]["data"]["challengeEvents"]
                self.cursor = event["cursor"]
                self.positions.append(event["position"])


@asynccontextmanager
async def _served(database: str) -> AsyncIterator[Process]:
    port = a_free_port()
    environment = os.environ | {"DATABASE_URL": database, "PROPDESK_PORT": str(port), "PROPDESK_POOL_SIZE": "4"}
    process = await asyncio.create_subprocess_exec(*COMMAND, "serve", env=environment, stdin=asyncio.subprocess.DEVNULL)
    try:
        yield Process(port, process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _ready(process: Process) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                async with connect(process.address, subprotocols=[TRANSPORT]):
                    return
            except (OSError, WebSocketException):
                assert process.process.returncode is None, "it has ended"
                await asyncio.sleep(0.05)


@pytest.fixture
async def processes(database: str) -> AsyncIterator[list[Process]]:
    """Three serving API processes."""
    async with AsyncExitStack() as stack:
        started = [await stack.enter_async_context(_served(database)) for _ in range(3)]
        await asyncio.gather(*(_ready(process) for process in started))
        yield started


async def test_one_of_three_is_killed_and_one_is_stopped_and_no_event_is_lost(processes: list[Process]) -> None:
    await brands.save_brand(ADMIN, name="acme", title="acme")
    token = await tokens.create_token(role="MANAGER", brand="acme", name="manager", subject=None)
    killed, stopped, left = processes
    orders = [[killed, stopped, left], [killed, left, stopped], [stopped, left, killed], [left, stopped, killed]]
    subscribers = [Subscriber(token, list(order)) for order in orders for _ in range(3)]
    total = 0

    async def tell(many: int) -> None:
        """Write events of many writers, one per transaction; all subscribers get them."""
        nonlocal total
        await asyncio.gather(*(_write(challenge, many) for challenge in range(1, 5)))
        total += 4 * many

    async with asyncio.TaskGroup() as tasks:
        following = [tasks.create_task(subscriber.run()) for subscriber in subscribers]
        stamping = tasks.create_task(events.stamp_for_ever())
        await tell(10)
        await until(lambda: all(len(one.positions) == total for one in subscribers))
        writing = asyncio.create_task(tell(40))
        await until(lambda: all(len(one.positions) > 60 for one in subscribers))
        killed.process.send_signal(signal.SIGKILL)
        await writing
        await until(lambda: all(len(one.positions) >= total for one in subscribers))
        stopped.process.send_signal(signal.SIGTERM)
        await tell(10)
        await until(lambda: all(len(one.positions) >= total for one in subscribers))
        async with asyncio.timeout(STOP_SECONDS_MAX):
            assert await stopped.process.wait() in (0, -signal.SIGTERM)
        for task in (*following, stamping):
            task.cancel()
    assert {tuple(one.positions) for one in subscribers} == {tuple(range(1, total + 1))}
    assert all(1006 in one.codes for one in subscribers[:6]), "they had followed the killed one"
    assert all(1012 in one.codes for one in subscribers[:3] + subscribers[6:9]), "and these the stopped one"


async def _write(challenge: int, many: int) -> None:
    for place in range(many):
        await emit(challenge, {"place": place})
