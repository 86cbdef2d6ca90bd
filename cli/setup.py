"""Commands that prepare a desk: its schema and its tokens."""

import asyncio
from typing import Annotated

import typer

from config.database import close_database, open_database, require_current_schema
from config.database import migrate as migrate_database
from config.embedded import running_database
from config.logs import configure_logging
from config.settings import load_settings
from services import tokens


def migrate() -> None:
    """Bring the database's schema up to date; running it twice, or in two places at once, does no harm."""
    settings = load_settings()
    configure_logging(settings.log_level, "migrate")
    with running_database(settings) as ready:
        assert ready.database_url
        applied = asyncio.run(migrate_database(ready.database_url, ready.broker_url))
    typer.echo(f"applied {', '.join(applied)}" if applied else "the schema is up to date")


def token(
    role: Annotated[str, typer.Option(help="ADMIN, MANAGER, CLIENT, TRADER, FEED or PAYMENTS")],
    brand: Annotated[str | None, typer.Option(help="The brand it belongs to; ADMIN and FEED have none")] = None,
    name: Annotated[str, typer.Option(help="Whose it is; the audit log shows it")] = "cli",
    client: Annotated[str | None, typer.Option(help="A CLIENT token's client")] = None,
) -> None:
    """Create an API token and print it; only its hash is kept."""
    settings = load_settings()
    configure_logging(settings.log_level, "token")

    async def create(url: str) -> str:
        await require_current_schema(url)
        await open_database(url, pool_size=2, name="token")
        try:
            return await tokens.create(role=role.upper(), brand=brand, name=name, subject=client)
        finally:
            await close_database()

    with running_database(settings) as ready:
        assert ready.database_url
        typer.echo(asyncio.run(create(ready.database_url)))
