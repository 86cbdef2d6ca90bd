"""API processes as the units start them: production, behind a proxy of this machine."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import httpx

from tests.cli.commands import COMMAND, a_free_port

READY_SECONDS_MAX = 60
PRODUCTION = {
    "PROPDESK_ENVIRONMENT": "production",
    "PROPDESK_TRUSTED_PROXIES": "127.0.0.1",
    "PROPDESK_METRICS": "true",
    "PROPDESK_POOL_SIZE": "4",
    "PROPDESK_LOG_LEVEL": "WARNING",
}


@dataclass(slots=True)
class ApiProcess:
    """One `propdesk serve`."""

    port: int
    process: asyncio.subprocess.Process


@asynccontextmanager
async def serving(database_url: str, many: int = 1, **environment: str) -> AsyncIterator[list[ApiProcess]]:
    """So many API processes, once they answer, as long as the context lasts."""
    async with AsyncExitStack() as stack:
        apis = [await stack.enter_async_context(_one(database_url, environment)) for _ in range(many)]
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(READY_SECONDS_MAX):
            for api in apis:
                while not await _answers(client, api):
                    await asyncio.sleep(0.05)
        yield apis


@asynccontextmanager
async def _one(database_url: str, environment: dict[str, str]) -> AsyncIterator[ApiProcess]:
    port = a_free_port()
    own = {"DATABASE_URL": database_url, "PROPDESK_PORT": str(port)} | environment
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "serve", env=os.environ | PRODUCTION | own, stdin=asyncio.subprocess.DEVNULL
    )
    try:
        yield ApiProcess(port, process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _answers(client: httpx.AsyncClient, api: ApiProcess) -> bool:
    assert api.process.returncode is None, "it has ended"
    with suppress(httpx.TransportError):
        return (await client.get(f"http://127.0.0.1:{api.port}/healthz")).is_success
    return False
