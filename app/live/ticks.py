"""Ticks: one query a second finds the changes of all watched objects; a slow subscriber gets the newest state only."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from config.outages import AWAY
from services.availability import availability
from services.views import ticks
from services.views.ticks import Watched

START_SECONDS_MAX = 10.0  # wait for the database when a subscription begins; later it waits as long as it takes


@dataclass(slots=True)
class _Watch:
    version: str | None
    watchers: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)  # set, and replaced, with each new version


class TickWatcher:
    """A watcher of changes of accounts and challenges. Used from one event loop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._watches: dict[Watched, _Watch] = {}

    async def changes(self, watched: Watched) -> AsyncGenerator[None, None]:
        """Yield at once, and again after each change; several changes may be one. Never ends."""
        versions = await availability().outlast(lambda: ticks.tick_versions([watched]), START_SECONDS_MAX)
        version = versions.get(watched)
        watch = self._watches.setdefault(watched, _Watch(version))
        watch.watchers += 1
        try:
            while True:
                changed = watch.changed
                yield
                await changed.wait()
        finally:
            watch.watchers -= 1
            if not watch.watchers:
                del self._watches[watched]

    async def run(self) -> None:
        """Look for changes until cancelled: one query for all subscribers together."""
        while True:
            await asyncio.sleep(self._seconds)
            if self._watches:
                try:
                    await self._look()
                except AWAY as error:  # the next look finds the changes
                    availability().suspect(error)

    async def _look(self) -> None:
        versions = await ticks.tick_versions(list(self._watches))
        for watched, watch in self._watches.items():
            version = versions.get(watched)
            if version != watch.version:
                watch.version = version
                changed, watch.changed = watch.changed, asyncio.Event()
                changed.set()
