"""`propdesk demo`: the whole job, live, on a desk of its own that is gone afterwards."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.databases import say
from cli.listener import Event, Listener
from cli.supervisor import Child, kept
from cli.up import healthy
from config.address import sibling
from config.database import close_database, connection, create_database, drop_database, migrate, open_database
from config.embedded import running_database
from config.errors import Problem
from config.logs import configure_logging
from config.settings import Settings, load_settings
from models.system import set_clock_mode
from services import tokens
from services.checks import verify
from tools import frames as quotes
from tools.bots import Frame
from tools.expected import differences, events
from tools.journey import Journey
from tools.outcome import Outcome, digest, read, show_outcome
from tools.ports import free_port
from tools.weekend import RATE, plan

PATIENCE_SECONDS = 60  # for a server that is killed and started again
EVENT_SECONDS_MAX = 30
API, WORKER = Child("api", "serve"), Child("worker", "work")

NO_WEEKEND = f"the account in euros over a weekend: nothing in USD is quoted while {RATE} is silent for a day"

console = Console(width=None if sys.stdout.isatty() else 120)


def demo(
    quotes_file: Annotated[
        Path | None,
        typer.Option("--quotes", help="Recorded quotes, of any layout that replay reads; left out, they are made up"),
    ] = None,
    pause: Annotated[float, typer.Option(help="Seconds to wait after each hour; changes no outcome", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="Of the made-up quotes")] = quotes.SEED,
) -> None:
    """Set a firm up, sell its programs, trade them on quotes, and show who fails, who is paid, whose day is closed."""
    settings = load_settings()
    configure_logging("WARNING", "demo")
    frames = quotes.recorded(quotes_file) if quotes_file else quotes.made_up(seed)
    source = str(quotes_file) if quotes_file else f"MADE-UP quotes (a random walk, seed {seed})"
    console.print(f"The demo plays every hour of {source}, {frames[0].time:%a %d %b %Y %H:%M} UTC onwards.")
    console.print("Its bots have seen the quotes before: one trades with them, others against. Groups: wide policy.")
    if plan(frames) is None:
        console.print(f"Left out: {NO_WEEKEND}.")
    with running_database(settings) as ready:
        outcome = asyncio.run(_play(ready, frames, pause))
    show_outcome(console, outcome)
    found = differences(outcome)
    for difference in found:
        console.print(f"[red]differs:[/] {difference}")
    if found:
        raise Problem(f"the demo did not go as expected: {len(found)} differences")
    console.print(f"[green]As expected.[/] Verdicts, events and ledgers hash to {digest(outcome)}")


@dataclass(frozen=True, slots=True)
class Stage:
    """The demo's desk: a database, a server on it, and the first admin's token."""

    url: str
    token: str


async def _play(settings: Settings, frames: list[Frame], pause: float) -> Outcome:
    async with _stage(settings) as stage, AsyncExitStack() as stack:
        journey = Journey(f"{stage.url}/graphql", PATIENCE_SECONDS, _tell, frames)
        await journey.speak(stack, "admin", stage.token)
        steps = await journey.prepare(stack)
        listener = Listener(journey.url, journey.tokens["manager"], _tell_event, after="0")
        listening = asyncio.create_task(listener.run())
        began, played = time.monotonic(), 1
        await journey.buy(steps)
        for now in range(1, len(frames)):
            await steps.feed(frames[now].rows)
            await steps.wait()
            played += 1
            state = await journey.state()
            if journey.is_over(state):
                break
            await journey.decide(now, state)
            await steps.wait()  # an action may end a phase, and then owes jobs
            await asyncio.sleep(pause)
        seconds = time.monotonic() - began
        _tell(f"{played} hours and {journey.actions} actions in {seconds:.1f} s")
        outcome = await read(journey)
        await listener.until(sum(len(names) for names in events(outcome).values()), EVENT_SECONDS_MAX)
        outcome.events.extend(listener.events)
        listening.cancel()
        outcome.violations.extend(journey.faults)
        outcome.violations.extend(f"{v.check}: {v.subject}: {v.message}" for v in await verify.check_books())
    return outcome


@asynccontextmanager
async def _stage(settings: Settings) -> AsyncIterator[Stage]:
    """A fresh replay database with an API and a worker on it; all of it ends with the demo."""
    assert settings.database_url, "running_database has filled it in"
    assert settings.migration_url, "and this one"
    name = f"propdesk_demo_{os.getpid()}"
    await drop_database(settings.migration_url, name)
    owner = await create_database(settings.migration_url, name)
    url = sibling(settings.database_url, name)
    try:
        await migrate(owner)
        say(settings, url)
        async with connection(owner) as conn:
            await set_clock_mode(conn, "REPLAY")
        port = free_port()
        environment = {
            "DATABASE_URL": url,
            "DATABASE_DIRECT_URL": sibling(settings.database_direct_url, name) if settings.database_direct_url else "",
            "OWNER_DATABASE_URL": "",
            "BROKER_URL": "",
            "PROPDESK_HOST": "127.0.0.1",
            "PROPDESK_PORT": str(port),
            "PROPDESK_SAMPLE_DATA": "false",
            "PROPDESK_LOG_LEVEL": "WARNING",
        }
        await open_database(url, pool_size=2, name="demo")
        try:
            token = await tokens.create_token(role="ADMIN", brand=None, name="demo")
            async with kept([API, WORKER], environment):
                await healthy(f"http://127.0.0.1:{port}")
                yield Stage(f"http://127.0.0.1:{port}", token)
        finally:
            await close_database()
    finally:
        await drop_database(settings.migration_url, name)


def _tell(line: str) -> None:
    console.print(f"  {line}", highlight=False)


def _tell_event(event: Event) -> None:
    told = f"[cyan]{event['marketTime']}[/] challenge {event['challengeId']} [bold]{event['name']}[/]"
    console.print(f"  {told}", highlight=False)
