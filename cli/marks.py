"""`propdesk mark-to-market`: the marker without a worker around it, once or for as long as it is left running."""

import asyncio
from typing import Annotated

import typer

from cli.databases import opened
from config.embedded import running_database
from config.errors import Problem
from config.logs import configure_logging
from config.settings import Settings, load_settings
from services import marks, periodic

PAUSE_SECONDS = 0.5


def mark_to_market(
    once: Annotated[bool, typer.Option("--once", help="Judge what waits and end")] = False,
) -> None:
    """Mark every live account to the newest quotes and judge it; without --once, go on until stopped."""
    settings = load_settings()
    configure_logging(settings.log_level, "marker", settings.log_format)
    with running_database(settings) as ready:
        batches, marked = asyncio.run(_run(ready, once))
    typer.echo(f"{marked.accounts} live accounts are marked; {batches} batches were judged")
    if marked.failed:
        raise Problem(f"{marked.failed} accounts could not be marked; the ledger of each says why (mark_failed)")


async def _run(settings: Settings, once: bool) -> tuple[int, marks.Marked]:
    async with opened(settings, "marker", pool_size=settings.pool_size):
        await periodic.begin()
        batches = await _drain(settings)
        while not once:
            await asyncio.sleep(PAUSE_SECONDS)
            await periodic.tick("marker")
            batches += await _drain(settings)
        return batches, await marks.mark_all()


async def _drain(settings: Settings) -> int:
    judged = [await marks.drain(shard) for shard in range(settings.marker_shards)]
    return max(judged)
