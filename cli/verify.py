"""`propdesk verify`: check the consistency of the books."""

import asyncio

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.databases import read_from_desk
from config.database import connection
from config.embedded import running_database
from config.logs import configure_logging
from config.settings import Settings, load_settings
from services.checks import verify as service
from services.checks.verify import Violation


def verify() -> None:
    """Check the books: print one line per violation and exit with 1 if there is any; the desk may keep running."""
    settings = load_settings()
    configure_logging(settings.log_level, "verify")
    with running_database(settings) as ready:
        checked, violations = asyncio.run(_verify(ready))
    for violation in violations:
        typer.echo(f"{violation.check}: {violation.subject}: {violation.message}")
    amounts = ", ".join(f"{many:,} {name.replace('_', ' ')}" for name, many in checked.items())
    typer.echo(f"{service.CHECKS} checks of {amounts}: {len(violations) or 'no'} violations")
    if violations:
        raise typer.Exit(1)


async def _verify(settings: Settings) -> tuple[dict[str, int], list[Violation]]:
    assert settings.database_url, "running_database has filled it in"
    checked, found = await read_from_desk(settings, "verify", _checked, lambda: None)
    async with connection(settings.database_url) as primary:
        await service.record_violations(primary, found)
    return checked, found


async def _checked() -> tuple[dict[str, int], list[Violation]]:
    checked = await service.count_rows()
    with _progress() as progress:
        bar = progress.add_task("", total=service.STEPS + checked["accounts"])
        found = await service.check_books(lambda doing, done: progress.update(bar, description=doing, completed=done))
        progress.update(bar, completed=service.STEPS + checked["accounts"])
    return checked, found


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
