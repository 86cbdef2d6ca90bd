"""The desk about itself."""

from dataclasses import asdict
from datetime import datetime
from typing import Self

import strawberry
from strawberry import ID, field

from domain.quotes import DeskMode
from schema.engine.computed_fields import computed
from schema.engine.scalars import Long
from schema.suspect_quotes import SuspectQuote
from services import ownership, retention, system
from services.quarantine import QuarantineEntry


@strawberry.type(description="A sign of life of a process.")
class Heartbeat:
    process: str = field(description="The process.")
    kind: str = field(description="What it does.")
    started_at: datetime = field(description="When it started.")
    beat_at: datetime = field(description="When it last gave a sign.")


@strawberry.type(description="Quotes of one symbol that were not taken, for one reason, since the beginning.")
class DroppedQuotes:
    symbol: str = field(description="The symbol as handed in.")
    reason: str = field(description="Why.")
    count: Long = field(description="How many.")
    last_at: datetime = field(description="When the last one came.")


@strawberry.type(
    description="An account that cannot be read or computed. Its orders and positions wait until it can; its mutations "
    "answer ACCOUNT_UNREADABLE or ACCOUNT_QUARANTINED, and `releaseQuarantine` tries it again."
)
class QuarantinedAccount:
    account_id: ID = field(description="The account.")
    seq: Long = field(description="Its version when that was noted.")
    error: str = field(description="The kind of failure.")
    message: str = field(description="What failed.")
    entered_at: datetime = field(description="When it was first noted.")

    @classmethod
    def of(cls, entry: QuarantineEntry) -> Self:
        return cls(**entry._asdict() | {"account_id": ID(str(entry.account_id))})


@strawberry.type(description="A part of the accounts, which one worker marks and judges.")
class Shard:
    shard: int = field(description="Its number, from 0.")
    owner: str | None = field(
        description="The process that owns it, as `heartbeats` call it; null: none does, and the next worker takes it."
    )
    through: Long = field(description="The newest batch it has judged.")
    lag_seconds: float = field(
        description="How long the oldest batch that it has not judged has waited, in seconds; 0: none waits."
    )


@strawberry.type(description="How far behind the desk is, and how large.")
class Load:
    lag_batches: Long = field(description="How many batches are not judged yet.")
    lag_seconds: float = field(description="How long the oldest of those has waited, in seconds.")
    job_wait_seconds: float = field(description="How long the oldest job that could be done has waited, in seconds.")
    events_waiting: Long = field(description="How many events are committed and have no position yet.")
    database_bytes: Long = field(description="The size of the database in bytes.")


@strawberry.type(description="What is no longer kept, as PROPDESK_EVENTS_KEEP_DAYS, _QUOTES_ and _METRICS_ say.")
class Forgotten:
    events: Long = field(description="How many events, of all brands together.")
    quotes: Long = field(description="Quotes of batches up to this one, but for the last of each symbol; 0: none.")
    metrics: datetime | None = field(description="Metric snapshots written before this; null: none.")


@strawberry.type(description="The state of the desk.")
class System:
    mode: DeskMode = field(description="Which clock it goes by.")
    newest_batch: Long = field(description="The newest batch of quotes; 0 before the first.")
    evaluated_through: Long = field(description="The batch up to which every pass and job is done.")
    market_time: datetime | None = field(description="The newest batch's market time.")
    queue_depth: int = field(description="How many jobs are owed.")
    dead_jobs: int = field(description="How many jobs are DEAD.")
    heartbeats: list[Heartbeat] = field(description="Which processes are alive.")
    quarantined: int = field(description="How many accounts cannot be read or marked.")
    quarantine: list[QuarantinedAccount] = field(description="The first 100 of them, oldest first.")
    dropped_quotes: list[DroppedQuotes] = field(description="Which quotes were not taken.")
    suspect_quotes: list[SuspectQuote] = field(
        description="The quotes that are held back until another decides, by symbol; at most 1000."
    )

    @computed("How far behind it is, and how large.")
    async def load(self) -> Load:
        return Load(**asdict(await system.load()))

    @computed("The shards that the accounts are divided into, by number: who judges each, and how far it is.")
    async def shards(self) -> list[Shard]:
        return [Shard(**asdict(state)) for state in await ownership.shard_states()]

    @computed("What is no longer kept.")
    async def forgotten(self) -> Forgotten:
        return Forgotten(**asdict(await retention.read()))
