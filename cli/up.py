"""`propdesk up`: set up and run a whole desk on one machine until Ctrl-C."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from cli import sampletokens
from cli.processes import require_free_port
from cli.setup import migrate_desk, set_mode
from cli.supervisor import Child, supervise
from config.address import spoken
from config.broker import require_supported
from config.connection_budget import require_connections
from config.database import close_database, connection, open_database
from config.embedded import running_database
from config.errors import Problem
from config.logs import configure_logging
from config.settings import Settings, load_settings
from models import system
from services import sample

READY_SECONDS_MAX = 60
API, WORKER = Child("api", "serve"), Child("worker", "work")
FEED = Child("feed", "feed")

console = Console()


def up(
    replay: Annotated[
        bool,
        typer.Option("--replay", help="Run a desk for recorded quotes: they set its clock, and no feed runs."),
    ] = False,
) -> None:
    """Start PostgreSQL (unless DATABASE_URL is set), the API and a worker; Ctrl-C stops all of them."""
    settings = load_settings()
    configure_logging(settings.log_level, "up", settings.log_format)
    require_supported(settings.broker_url)
    require_free_port(settings)
    with running_database(settings) as ready:
        asyncio.run(_run(ready, "REPLAY" if replay else None))


async def _run(settings: Settings, mode: str | None) -> None:
    url, owner = settings.database_url, settings.migration_url
    assert url, "running_database has filled it in"
    assert owner, "and this one"
    async with _claimed(settings):
        await _run_all(settings, url, owner, mode)


@asynccontextmanager
async def _claimed(settings: Settings) -> AsyncIterator[None]:
    """Raise Problem if another `propdesk up` uses the database: both would feed and seed it."""
    assert settings.direct_url, "running_database has filled it in"
    async with connection(settings.direct_url) as conn:
        if not await system.claim_desk(conn):
            raise Problem(
                f"another `propdesk up` runs the desk on {spoken(settings.direct_url)}; stop that one, or add to it "
                "with `propdesk serve` and `propdesk work`"
            )
        yield


async def _run_all(settings: Settings, url: str, owner: str, mode: str | None) -> None:
    await migrate_desk(settings)
    await require_connections(settings)
    is_replay = await set_mode(owner, mode) == "REPLAY"
    tokens = await _seed(settings, url) if settings.sample_data else {}

    async def announce() -> None:
        await healthy(settings.base_url)
        console.print(_panel(settings, tokens, is_replay=is_replay))

    environment = {"DATABASE_URL": url, "OWNER_DATABASE_URL": ""}
    if tokens:
        environment |= {"PROPDESK_SAMPLE_TOKENS": json.dumps(tokens)}
    if "FEED" in tokens:
        environment |= {"PROPDESK_FEED_TOKEN": tokens["FEED"]}
    feed = (
        [FEED] if "FEED" in tokens and not is_replay else []
    )  # simulated quotes of today would move the clock past a replay of old quotes
    await supervise([*feed, API, WORKER], environment, announce)


async def _seed(settings: Settings, url: str) -> dict[str, str]:
    """Create the sample data on a new desk; return the sample brand's tokens by role, the same at each start."""
    file = sampletokens.file_of(settings.data_dir, url)
    kept = sampletokens.read_tokens(file)
    await open_database(url, pool_size=4, name="up")
    try:
        tokens = await sample.seed_sample(kept)
    finally:
        await close_database()
    if tokens != kept:
        sampletokens.write(file, tokens)
    return tokens


async def healthy(base_url: str) -> None:
    """Wait until the API passes its health check. Raises Problem after READY_SECONDS_MAX."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
        while time.monotonic() < deadline:
            try:
                if (await client.get(f"{base_url}/healthz")).is_success:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.2)
    raise Problem(f"{base_url}/healthz did not answer within {READY_SECONDS_MAX} s")


def _panel(settings: Settings, tokens: dict[str, str], *, is_replay: bool) -> Panel:
    table = Table.grid(padding=(0, 2))
    websocket = settings.base_url.replace("http", "ws", 1)
    explored = "" if settings.environment == "production" else " (in a browser: GraphiQL, with these tokens)"
    table.add_row("GraphQL", f"{settings.base_url}/graphql{explored}")
    table.add_row("websocket", f"{websocket}/graphql (graphql-transport-ws)")
    table.add_row("health", f"{settings.base_url}/healthz")
    for role, token in tokens.items():
        table.add_row(f"{role} token", token)
    if tokens:
        simulated = "" if is_replay else " SIMULATED QUOTES: a random walk, no market."
        table.add_row("", f"[yellow]SAMPLE DATA: brand `demo`, made up.{simulated}")
        table.add_row("", f"[yellow]PROPDESK_SAMPLE_DATA=false switches {'it' if is_replay else 'both'} off.")
    else:
        table.add_row("tokens", "propdesk token --role ADMIN --name YOU")
    if is_replay:
        table.add_row("quotes", f"propdesk replay FILES --url {settings.base_url}/graphql --token ADMIN_TOKEN")
    return Panel(table, title="Propdesk", subtitle="Ctrl-C stops it", expand=False)
