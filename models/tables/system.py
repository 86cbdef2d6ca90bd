"""The desk itself: clock mode, shards, processes, retention."""

from typing import Any

from tortoise import fields
from tortoise.fields import NO_ACTION
from tortoise.fields.db_defaults import SqlDefault
from tortoise.models import Model

from domain.quotes import DeskMode
from models.tables.fields import CLOCK, NOW, Choice, Text
from models.tables.keys import CompositeKey


class Desk(Model):
    """One row: the desk, with its clock mode and number of shards."""

    id = fields.SmallIntField(primary_key=True, generated=False, db_default=1)
    mode = Choice(
        DeskMode,
        db_default=DeskMode.SYSTEM,
        description="Clock mode: SYSTEM, or REPLAY if the source times of quotes are the market time",
    )
    shards = fields.IntField(db_default=1, description="Number of shards of the accounts")
    created_at = fields.DatetimeField(db_default=NOW)

    class Meta:
        table = "desk"


class Retention(Model):
    """One row: the limits below which old data is deleted."""

    id = fields.SmallIntField(primary_key=True, generated=False, db_default=1)
    quotes_forgotten = fields.BigIntField(
        db_default=0,
        description="Batches up to this number are deleted, with their quotes except the last of each symbol",
    )
    metrics_forgotten = fields.DatetimeField(null=True, description="Metrics recorded before this are deleted")

    class Meta:
        table = "retention"


class BookCheck(Model):
    """One row: the result of the newest check of the books; no row before the first."""

    id = fields.SmallIntField(primary_key=True, generated=False, db_default=1)
    violations = fields.BigIntField()
    finished_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "book_check"


class Shard(Model):
    """A shard of the accounts, with its owner and the newest batch that it has judged."""

    shard = fields.IntField(primary_key=True, generated=False)
    through = fields.BigIntField(db_default=0, description="Newest batch that it has judged")
    passes = fields.BigIntField(db_default=0)
    updated_at = fields.DatetimeField(db_default=CLOCK)
    owner = Text(null=True, description="Process that took it last; null once it was released")
    fence = fields.BigIntField(
        db_default=0, description="Fencing number: each owner raises it, and each write of an owner requires it"
    )

    class Meta:
        table = "shards"


class BearerWrite(Model):
    """A bearer that writes, recorded at most once a second."""

    bearer = Text(primary_key=True)
    wrote_at = fields.DatetimeField(db_default=CLOCK, description="Time shortly before its newest mutation")

    class Meta:
        table = "bearer_writes"


class Heartbeat(Model):
    """A process and its newest heartbeat."""

    process = Text(primary_key=True)
    kind = Text(description="Kind of process: api or worker")
    started_at = fields.DatetimeField()
    beat_at = fields.DatetimeField()
    faults: fields.Field[dict[str, str]] = fields.JSONField(
        db_default=SqlDefault("'{}'"), description="Last fault of each failing background task"
    )

    class Meta:
        table = "heartbeats"


class PeriodicSlot(CompositeKey):
    """A time slot of a periodic task that a process has claimed."""

    name = Text()
    slot = fields.DatetimeField(primary_key=True)

    class Meta:
        table = "periodic_slots"
        primary_key = ("name", "slot")


class Quarantined(Model):
    """An account that cannot be read or marked."""

    account: fields.OneToOneRelation[Any] = fields.OneToOneField(
        "models.Account", primary_key=True, on_delete=NO_ACTION, related_name="quarantine"
    )
    seq = fields.BigIntField(description="Seq of its newest ledger row at the failure")
    error = Text(description="Kind of failure")
    message = Text()
    entered_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "quarantine"
