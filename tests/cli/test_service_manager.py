"""What systemd is told of the services: that they are ready, that their loop goes round, that they end."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from config import service_manager
from tests.cli.commands import COMMAND, a_free_port

PATIENCE_SECONDS = 60


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket at which systemd listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        yield listener


async def heard(systemd: socket.socket) -> str:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return (await asyncio.get_running_loop().sock_recv(systemd, 100)).decode()


@pytest.mark.parametrize("command", ["serve", "work"])
async def test_a_service_tells_that_it_is_ready_alive_and_ending(
    command: str, empty_database: str, systemd: socket.socket
) -> None:
    port = str(a_free_port())
    environment = os.environ | {"DATABASE_URL": empty_database, "PROPDESK_PORT": port, "PROPDESK_POOL_SIZE": "4"}
    environment["NOTIFY_SOCKET"] = systemd.getsockname()
    process = await asyncio.create_subprocess_exec(*COMMAND, command, env=environment, stdin=asyncio.subprocess.DEVNULL)
    try:
        first = {await heard(systemd), await heard(systemd)}
        assert first == {service_manager.READY, service_manager.ALIVE}
        if command == "serve":
            async with httpx.AsyncClient(trust_env=False) as client:
                assert (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
        assert await heard(systemd) == service_manager.ALIVE
        process.send_signal(signal.SIGTERM)
        while (word := await heard(systemd)) == service_manager.ALIVE:
            pass
        assert word == service_manager.STOPPING
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await process.wait() in (0, -signal.SIGTERM)  # uvicorn ends by the signal itself
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def test_nobody_is_told_anything_where_nobody_listens(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    service_manager.tell(service_manager.READY)
    assert not caplog.records
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    service_manager.tell(service_manager.READY)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
