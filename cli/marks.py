"""`propdesk mark-to-market`: run the marker without a worker, once or until stopped."""

import asyncio
import math
from typing import Annotated

import typer

from cli.databases import open_desk
from config.embedded import running_database
from config.errors import Problem
from config.logs import configure_logging
from config.settings import Settings, load_settings
from services import marking, ownership, periodic
from services.fencing import ShardLost
from services.ownership import Ownership

PAUSE_SECONDS = 0.5
SHARED_SECONDS = 5  # time spent on a shard before it may go to another worker


def mark_to_market(
    once: Annotated[bool, typer.Option("--once", help="Judge the waiting batches, then exit")] = False,
) -> None:
    """Mark every live account to the newest quotes and judge it; without --once, continue until stopped.

    Shards owned by workers are skipped; with --once their accounts are marked one by one under their row locks.
    """
    settings = load_settings()
    configure_logging(settings.log_level, "marker", settings.log_format)
    with running_database(settings) as ready:
        batches, marked = asyncio.run(_run(ready, once))
    typer.echo(f"{marked.accounts} live accounts are marked; {batches} batches were judged")
    if marked.failed:
        raise Problem(f"{marked.failed} accounts could not be marked; the ledger of each says why (mark_failed)")


async def _run(settings: Settings, once: bool) -> tuple[int, marking.Marked]:
    process = periodic.process_name("marker")
    async with open_desk(settings, process, pool_size=settings.pool_size):
        assert settings.direct_url, "running_database has filled it in"
        owner = Ownership(settings.direct_url, process, settings.shard_lease_seconds)
        try:
            await ownership.divide_desk(settings.marker_shards)
            if once:
                await owner.take_free()
                batches = await _drain(owner)
            else:
                batches = await _share(owner)
            return batches, await marking.mark_all()
        finally:
            await owner.end()


async def _share(owner: Ownership) -> int:
    """Mark and judge this process's share of the shards until stopped."""
    batches = 0
    while True:
        await owner.keep()
        batches += await _drain(owner, SHARED_SECONDS)
        await asyncio.sleep(PAUSE_SECONDS)
        waiting = await periodic.run_round("marker")
        if waiting.overdue:
            await marking.mark_all(behind=marking.OVERDUE)


async def _drain(owner: Ownership, seconds: float = math.inf) -> int:
    """Judge the waiting batches of each shard for about `seconds`; return the number of batches."""
    judged = 0
    for marker in list(owner.markers.values()):
        try:
            judged = max(judged, await marker.drain(seconds))
        except ShardLost:
            owner.drop(marker)
    return judged
