"""Ticks: one look a second at all that subscribers of the process watch; who is slow gets the newest, no backlog."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from config.outages import AWAY
from services.availability import availability
from services.views import ticks
from services.views.ticks import Watched

START_SECONDS_MAX = 10.0  # that a subscription waits for the database at its beginning; later it waits without end


@dataclass(slots=True)
class _Watch:
    version: str | None
    watchers: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)  # set, and replaced, with each new version


class TickWatcher:
    """Says when what is watched has changed. Used from one event loop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._watches: dict[Watched, _Watch] = {}

    async def changes(self, watched: Watched) -> AsyncGenerator[None, None]:
        """Yields at once, and again whenever it has changed since; however often that was. Never ends."""
        found = await availability().outlast(lambda: ticks.versions([watched]), START_SECONDS_MAX)
        version = found.get(watched)
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
        """Look for changes until cancelled; the database is asked the same, whatever the number of subscribers."""
        while True:
            await asyncio.sleep(self._seconds)
            if self._watches:
                try:
                    await self._look()
                except AWAY as error:  # what has changed meanwhile is seen by the next look
                    availability().suspect(error)

    async def _look(self) -> None:
        found = await ticks.versions(list(self._watches))
        for watched, watch in self._watches.items():
            version = found.get(watched)
            if version != watch.version:
                watch.version = version
                changed, watch.changed = watch.changed, asyncio.Event()
                changed.set()
