"""Commands that prepare a desk: migrate, init and token."""

import asyncio
from typing import Annotated

import typer

from cli.databases import open_desk, say
from config.address import parse
from config.broker import require_supported
from config.database import connection, require_same_database
from config.database import migrate as migrate_database
from config.embedded import running_database
from config.errors import Problem
from config.logs import configure_logging
from config.settings import Settings, load_settings
from models.system import read_mode, set_clock_mode
from services import tokens

CLOCKS = {"SYSTEM": "the system's time", "REPLAY": "the time of replayed quotes"}  # description of each mode's clock


def migrate() -> None:
    """Bring the database's schema up to date; it is safe to run twice or in two places at once."""
    settings = load_settings()
    configure_logging(settings.log_level, "migrate")
    require_supported(settings.broker_url)
    with running_database(settings) as ready:
        applied = asyncio.run(migrate_desk(ready))
    typer.echo(f"applied {', '.join(applied)}" if applied else "the schema is up to date")


def init(
    mode: Annotated[
        str | None, typer.Option(help="The desk's clock: system (live quotes) or replay (recorded ones).")
    ] = None,
) -> None:
    """Prepare a desk: migrate its schema and set its clock, which is fixed from the first quote on."""
    settings = load_settings()
    configure_logging(settings.log_level, "init")
    require_supported(settings.broker_url)
    with running_database(settings) as ready:
        assert ready.migration_url
        applied = asyncio.run(migrate_desk(ready))
        kept = asyncio.run(set_mode(ready.migration_url, mode))
    typer.echo(f"applied {', '.join(applied)}" if applied else "the schema is up to date")
    typer.echo(f"the desk goes by {CLOCKS[kept]}")


async def migrate_desk(settings: Settings) -> list[str]:
    """Migrate the schema and grant rights to the login of DATABASE_URL; return the migrations applied."""
    assert settings.database_url, "running_database has filled it in"
    assert settings.migration_url, "and this one"
    login = parse(settings.database_url).user
    if settings.migration_url != settings.database_url and await _is_reached(settings.database_url):
        await require_same_database(settings.database_url, settings.migration_url)
    applied = await migrate_database(settings.migration_url, settings.broker_url, login)
    say(settings, settings.migration_url)
    return applied


async def _is_reached(url: str) -> bool:
    """Return whether the services' login exists: a DBA may create it after the first migration."""
    try:
        async with connection(url):
            return True
    except Problem:
        return False


async def set_mode(url: str, mode: str | None) -> str:
    """Set the desk's mode, in either letter case, and return it; None keeps the current mode.

    Raises Problem for an unknown mode, and if the desk already has quotes and another mode.
    """
    wanted = mode and mode.upper()
    if wanted and wanted not in CLOCKS:
        raise Problem(f"--mode {mode}: a desk's mode is {' or '.join(CLOCKS).lower()}")
    async with connection(url) as conn:
        kept = await (set_clock_mode(conn, wanted) if wanted else read_mode(conn))
    if wanted and kept != wanted:
        raise Problem(
            f"this desk has quotes and goes by {CLOCKS[kept]}, which stays so; for the other mode prepare a new one: "
            "set PROPDESK_DATA_DIR, or DATABASE_URL, to another place"
        )
    return kept


def token(
    role: Annotated[str, typer.Option(help="ADMIN, MANAGER, CLIENT, TRADER, FEED or PAYMENTS")],
    brand: Annotated[str | None, typer.Option(help="The token's brand; ADMIN and FEED have none")] = None,
    name: Annotated[str, typer.Option(help="The token's owner, shown in the audit log")] = "cli",
    client: Annotated[str | None, typer.Option(help="The client of a CLIENT token")] = None,
) -> None:
    """Create an API token and print it; the database stores only its hash."""
    settings = load_settings()
    configure_logging(settings.log_level, "token")

    async def create(ready: Settings) -> str:
        async with open_desk(ready, "token"):
            return await tokens.create_token(role=role.upper(), brand=brand, name=name, subject=client)

    with running_database(settings) as ready:
        typer.echo(asyncio.run(create(ready)))
