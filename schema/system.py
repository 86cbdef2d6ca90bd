"""State of the desk: processes, shards, load and quarantine."""

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


@strawberry.type(description="Heartbeat of a process.")
class Heartbeat:
    process: str = field(description="Name of the process.")
    kind: str = field(description="Kind of process, such as a worker.")
    started_at: datetime = field(description="Time at which the process started.")
    beat_at: datetime = field(description="Time of the last heartbeat.")


@strawberry.type(description="Dropped quotes of one symbol with the same reason, counted since the desk was set up.")
class DroppedQuotes:
    symbol: str = field(description="Symbol as submitted.")
    reason: str = field(description="Reason code, as in `DroppedQuote.reason`.")
    count: Long = field(description="Number of dropped quotes.")
    last_at: datetime = field(description="Time of the last dropped quote.")


@strawberry.type(
    description="An account that cannot be read or computed. Its orders and positions wait, and its mutations are "
    "refused with ACCOUNT_UNREADABLE or ACCOUNT_QUARANTINED. `releaseQuarantine` tries to compute it again."
)
class QuarantinedAccount:
    account_id: ID = field(description="Account number.")
    seq: Long = field(description="Version of the account at the failure.")
    error: str = field(description="Kind of failure.")
    message: str = field(description="Description of the failure.")
    entered_at: datetime = field(description="Time at which the failure was first noticed.")

    @classmethod
    def of(cls, entry: QuarantineEntry) -> Self:
        return cls(**entry._asdict() | {"account_id": ID(str(entry.account_id))})


@strawberry.type(
    description="A part of the accounts. One worker at a time owns a shard, and marks and judges its accounts."
)
class Shard:
    shard: int = field(description="Number of the shard, counted from 0.")
    owner: str | None = field(description="Process that owns the shard, as named in `heartbeats`; null if none.")
    through: Long = field(description="Number of the newest batch of quotes that the shard has processed.")
    lag_seconds: float = field(description="Age of the oldest unprocessed batch, in seconds; 0 if up to date.")


@strawberry.type(description="Backlog of the desk, and size of its database.")
class Load:
    lag_batches: Long = field(description="Number of batches of quotes not processed yet.")
    lag_seconds: float = field(description="Age of the oldest batch of quotes not processed yet, in seconds.")
    job_wait_seconds: float = field(description="Waiting time of the oldest job that is due, in seconds.")
    events_waiting: Long = field(description="Number of committed events without a position, not sent yet.")
    database_bytes: Long = field(description="Size of the database in bytes.")


@strawberry.type(
    description="Data deleted after its retention time, set by PROPDESK_EVENTS_KEEP_DAYS, PROPDESK_QUOTES_KEEP_DAYS "
    "and PROPDESK_METRICS_KEEP_DAYS."
)
class Forgotten:
    events: Long = field(description="Number of deleted events of all brands.")
    quotes: Long = field(description="Quotes up to this batch are deleted, except each symbol's last; 0: none.")
    metrics: datetime | None = field(description="Metric snapshots written before this time are deleted; null: none.")


@strawberry.type(description="State of the desk.")
class System:
    mode: DeskMode = field(description="Clock of the desk.")
    newest_batch: Long = field(
        description="Number of the newest batch, a set of quotes valid from one time on; 0 before the first."
    )
    evaluated_through: Long = field(
        description="Batch of quotes up to which all accounts are marked and all jobs done."
    )
    market_time: datetime | None = field(
        description="Market time: the time of the newest batch of quotes; null before the first."
    )
    queue_depth: int = field(description="Number of jobs not done yet.")
    dead_jobs: int = field(description="Number of jobs in state DEAD.")
    heartbeats: list[Heartbeat] = field(description="Heartbeats of the running processes.")
    quarantined: int = field(description="Number of accounts in quarantine.")
    quarantine: list[QuarantinedAccount] = field(description="The first 100 accounts in quarantine, oldest first.")
    dropped_quotes: list[DroppedQuotes] = field(description="Dropped quotes, by symbol and reason.")
    suspect_quotes: list[SuspectQuote] = field(
        description="Suspect quotes that are held back, sorted by symbol; at most 1000."
    )

    @computed("Backlog of the desk, and size of its database.")
    async def load(self) -> Load:
        return Load(**asdict(await system.read_load()))

    @computed("Shards sorted by number, with owner and progress.")
    async def shards(self) -> list[Shard]:
        return [Shard(**asdict(state)) for state in await ownership.shard_states()]

    @computed("Data deleted after its retention time.")
    async def forgotten(self) -> Forgotten:
        return Forgotten(**asdict(await retention.read_retention()))
