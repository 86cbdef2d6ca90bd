"""`propdesk shards`: show the shards of accounts and their owners, or change the number of shards."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.databases import open_desk
from config.embedded import running_database
from config.errors import Problem
from config.logs import configure_logging
from config.settings import Settings, load_settings
from domain.errors import Locked
from domain.sharding import SHARDS_MAX
from services import ownership
from services.ownership import ShardState

BUSY = "a worker writes in a shard for longer than a change may wait; try again"


def shards(
    count: Annotated[int | None, typer.Argument(help=f"The new number of shards, 1 to {SHARDS_MAX}")] = None,
) -> None:
    """Show each shard's owner and the newest batch judged. With COUNT, change the number of shards.

    The desk may keep running: its workers divide the new shards at once.
    """
    if count is not None and not 1 <= count <= SHARDS_MAX:
        raise Problem(f"{count} shards cannot be; give a number from 1 to {SHARDS_MAX}")
    settings = load_settings()
    configure_logging(settings.log_level, "shards", settings.log_format)
    with running_database(settings) as ready:
        asyncio.run(_run(ready, count))


async def _run(settings: Settings, count: int | None) -> None:
    async with open_desk(settings, "shards"):
        if count is None:
            _show(await ownership.shard_states())
            return
        try:
            before, now = await ownership.set_shard_count(count)
        except Locked:
            raise Problem(BUSY) from None
    typer.echo(f"the desk has {now} shards" + ("" if before == now else f"; it had {before}"))


def _show(states: list[ShardState]) -> None:
    table = Table()
    for heading in ("shard", "owner", "through", "lag in seconds"):
        table.add_column(heading, justify="left" if heading == "owner" else "right", no_wrap=True)
    for state in states:
        owner = state.owner or "none"
        table.add_row(str(state.shard), owner, str(state.through), f"{state.lag_seconds:.1f}")
    Console().print(table)
