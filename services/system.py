"""The desk about itself, for operators and for whoever hands in quotes in lock-step."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models import system
from services.unit import reading


@dataclass(frozen=True, slots=True)
class System:
    mode: str
    newest_batch: int
    market_time: datetime | None
    evaluated_through: int  # passes and jobs of every batch up to this one are done
    queue_depth: int
    dead_jobs: int
    heartbeats: list[dict[str, Any]]  # process, kind, started_at, beat_at
    dropped: list[dict[str, Any]]  # symbol, reason, count, last_at


async def read() -> System:
    """The state of now. While a job can be done, the newest batch does not count as evaluated."""
    async with reading() as conn:
        row = await system.read(conn)
        heartbeats = await system.heartbeats(conn)
        dropped = await system.dropped(conn)
    through = row["marked_through"]
    if row["jobs_wait"]:
        through = min(through, row["newest_batch"] - 1)
    return System(
        row["mode"],
        row["newest_batch"],
        row["market_time"],
        max(through, 0),
        row["queue_depth"],
        row["dead_jobs"],
        heartbeats,
        dropped,
    )
