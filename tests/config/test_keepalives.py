"""Every connection to PostgreSQL notices a dead peer in time, whichever part of a process has opened it."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from app.live.hub import Hub
from config import wakeups
from config.database import close_database, connection, control_pool, open_database
from config.keepalives import Keepalives
from services.supervision import Supervisor

FILES = Path("/proc/self/fd")
OPTIONS = {
    "TCP_KEEPIDLE": 4,
    "TCP_KEEPINTVL": 2,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 10_000,
}


@pytest.mark.parametrize("seconds", [2, 3, 5, 10, 30, 300])
def test_whatever_the_setting_a_dead_peer_is_noticed_within_it(seconds: int) -> None:
    told = Keepalives(seconds)
    assert 0 < told.idle < seconds
    assert told.idle + told.interval * told.probes <= max(seconds, 2)
    assert told.of_libpq()["tcp_user_timeout"] == int(told.of_server()["tcp_user_timeout"]) == seconds * 1000


@asynccontextmanager
async def _over_tcp(url: str) -> AsyncIterator[str]:
    """The address of the same database through a port of this machine."""
    writers: list[asyncio.StreamWriter] = []
    directory = parse_qs(urlsplit(url).query)["host"][0]

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(f"{directory}/.s.PGSQL.5432")
        writers.extend((writer, back))

        async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while data := await source.read(1 << 16):
                    target.write(data)
            target.close()

        await asyncio.gather(pass_on(reader, back), pass_on(there, writer))

    listening = await asyncio.start_server(join, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    parts = urlsplit(url)
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}{parts.path}"
    finally:
        listening.close()
        for one in writers:
            one.transport.abort()
        await asyncio.sleep(0)  # in which they are closed


def _connections(port: int) -> list[dict[str, int]]:
    """The options of each connection that this process has to a port."""
    found = []
    for number in [int(path.name) for path in FILES.iterdir()]:
        if not (FILES / str(number)).is_socket():
            continue
        with suppress(OSError), socket.socket(fileno=os.dup(number)) as one:
            if one.family == socket.AF_INET and one.getpeername()[1] == port:
                options = {name: one.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in OPTIONS}
                found.append(options if one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) else {})
    return found


async def _all_probe(port: int, least: int) -> None:
    """Wait until so many connections are there and all of them probe: before it has logged in none does."""
    async with asyncio.timeout(20):
        while len(found := _connections(port)) < least or any(one != OPTIONS for one in found):
            await asyncio.sleep(0.02)


@pytest.mark.skipif(not FILES.is_dir(), reason="no /proc to read the connections from")
async def test_every_connection_to_the_database_probes_its_peer(empty_database: str) -> None:
    async with _over_tcp(empty_database) as url:
        port = urlsplit(url).port
        assert port
        await open_database(url, pool_size=2, name="test")
        hub = Hub(url)
        listening = asyncio.create_task(hub.run(Supervisor(10, lambda: None)))
        try:
            async with control_pool().acquire():
                await _all_probe(port, 3)  # pool, control, listener
            before = len(_connections(port))
            async with connection(url):
                await _all_probe(port, before + 1)
            before = len(_connections(port))
            with wakeups.sending_to(url):
                wakeups.request("work_queue")
                await _all_probe(port, before + 1)
        finally:
            listening.cancel()
            await asyncio.wait([listening])
            await close_database()
