"""Epochs: notices that the database was restored to a moment before what this process has read.

Event numbers, batches and versions of accounts are then given again, so nothing in this process's memory is valid, and
the process ends. After a failover without loss it goes on.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from config.fence import fence
from config.outages import AWAY
from models import events
from models.events import EpochHistory
from services.availability import availability
from services.quote_cache import quote_cache
from services.supervision import Unrecoverable
from services.unit_of_work.reads import read_connection

LOOK_SECONDS = 1.0

log = logging.getLogger(__name__)


class Restored(Unrecoverable):
    """The database has lost rows that this process has read."""


@dataclass(slots=True)
class Watch:
    """Checks the epochs once a second. `head` returns the newest event that the process has passed on."""

    head: Callable[[], int] = lambda: 0
    seen: EpochHistory | None = None
    of_former: tuple[int, int] | None = None  # event and batch seen of the primary before, until its end is known

    async def run(self) -> None:
        """Check until cancelled. Raises Restored; while the database is away, its own watch reports that."""
        fence.before_moves.append(self.remember)
        try:
            while True:
                try:
                    await self.look()
                except AWAY as error:
                    availability().suspect(error)
                    await availability().settled()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            fence.before_moves.remove(self.remember)

    def remember(self) -> None:
        """Note a new primary: from now on only rows of that primary count as read."""
        if self.of_former is None:
            self.of_former = self.head(), quote_cache().newest

    async def look(self) -> None:
        """Compare the database with what was read from it before. Raises Restored."""
        head, newest = self.of_former or (
            self.head(),
            quote_cache().newest,
        )  # read before the check, which must not be behind them
        async with read_connection() as conn:
            life = await events.epoch_history(conn)
        before, self.seen = self.seen, life
        if before is None:
            return
        known, there = ({epoch.epoch for epoch in one.epochs} for one in (before, life))
        new = [(epoch.position, epoch.batch) for epoch in life.epochs if epoch.epoch not in known]
        if not known <= there:
            new.append((0, 0))  # reads of an epoch that is gone do not count
        position, batch = max(before.position, head), max(before.batch, newest)
        kept_position, kept_batch = (min(kept) for kept in zip((life.position, life.batch), *new, strict=True))
        if kept_position < position or kept_batch < batch:
            raise Restored(
                f"this process has seen event {position} and batch {batch}, and the database has lost those after "
                f"event {kept_position} and batch {kept_batch}, as by a restore to an earlier moment; the process "
                "ends, so that it begins with nothing in memory"
            )
        if new:
            self.of_former = None
            log.info("the database goes on in a new epoch, and has lost nothing that this process has seen")
