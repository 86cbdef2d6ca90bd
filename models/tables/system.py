"""The desk itself: its mode, its processes, and how much it keeps."""

from typing import Any

from tortoise import fields
from tortoise.fields import NO_ACTION
from tortoise.fields.db_defaults import SqlDefault
from tortoise.models import Model

from domain.quotes import DeskMode
from models.tables.fields import CLOCK, NOW, Choice, Text
from models.tables.keys import CompositeKey


class Desk(Model):
    """One row: what kind of database this is."""

    id = fields.SmallIntField(primary_key=True, generated=False, db_default=1)
    mode = Choice(
        DeskMode,
        db_default=DeskMode.SYSTEM,
        description="SYSTEM, or REPLAY where the quotes' own times are the market's time",
    )
    shards = fields.IntField(db_default=1, description="Into how many shards the accounts are divided")
    created_at = fields.DatetimeField(db_default=NOW)

    class Meta:
        table = "desk"


class Retention(Model):
    """One row: how much of what grows with time is no longer kept."""

    id = fields.SmallIntField(primary_key=True, generated=False, db_default=1)
    quotes_forgotten = fields.BigIntField(
        db_default=0, description="Batches up to this number are gone, their quotes but each symbol's last"
    )
    metrics_forgotten = fields.DatetimeField(null=True, description="Metrics recorded before this are gone")

    class Meta:
        table = "retention"


class BookCheck(Model):
    """One row: what the newest check of the books found; none before the first."""

    id = fields.SmallIntField(primary_key=True, generated=False, db_default=1)
    violations = fields.BigIntField()
    finished_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "book_check"


class Shard(Model):
    """A part of the accounts: who marks it, and how far it has been judged."""

    shard = fields.IntField(primary_key=True, generated=False)
    through = fields.BigIntField(db_default=0, description="The newest batch it has judged")
    passes = fields.BigIntField(db_default=0)
    updated_at = fields.DatetimeField(db_default=CLOCK)
    owner = Text(null=True, description="The process that took it last; none once that has given it up")
    fence = fields.BigIntField(db_default=0, description="Grows with each owner; an owner's writes demand its own")

    class Meta:
        table = "shards"


class BearerWrite(Model):
    """A bearer that writes, as its processes announce it at most once a second."""

    bearer = Text(primary_key=True)
    wrote_at = fields.DatetimeField(db_default=CLOCK, description="Shortly before its newest mutation")

    class Meta:
        table = "bearer_writes"


class Heartbeat(Model):
    """A process and its last sign of life."""

    process = Text(primary_key=True)
    kind = Text(description="What the process does: api or worker")
    started_at = fields.DatetimeField()
    beat_at = fields.DatetimeField()
    faults: fields.Field[dict[str, str]] = fields.JSONField(
        db_default=SqlDefault("'{}'"), description="The last fault of each endless task that is not well"
    )

    class Meta:
        table = "heartbeats"


class PeriodicSlot(CompositeKey):
    """A slot of a periodic task that a process has taken."""

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
    seq = fields.BigIntField(description="Number of its newest ledger row when that was noted")
    error = Text(description="The kind of failure")
    message = Text()
    entered_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "quarantine"
