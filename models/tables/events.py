"""Events: the outbox they are written to, and the stream they are read from."""

from typing import Any

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.tables.fields import CLOCK, DeskIdentity, Text


class OutboxEvent(Model):
    """An event without a position yet."""

    id = DeskIdentity()
    brand = Text()
    challenge_id = fields.BigIntField()
    client = Text(null=True, description="Client of the challenge, which may be deleted")
    name = Text()
    payload: fields.Field[dict[str, Any]] = fields.JSONField()
    market_time = fields.DatetimeField()
    written_at = fields.DatetimeField(db_default=CLOCK, description="Time just before the commit of its transaction")

    class Meta:
        table = "outbox"


class Event(Model):
    """An event with its position, as subscribers see it."""

    position = fields.BigIntField(
        primary_key=True, generated=False, description="Position among all events, without gaps; not shown in the API"
    )
    brand = Text()
    challenge_id = fields.BigIntField()
    number = fields.BigIntField(description="Number within the challenge, without gaps")
    client = Text(null=True)
    name = Text()
    payload: fields.Field[dict[str, Any]] = fields.JSONField()
    market_time = fields.DatetimeField()
    recorded_at = fields.DatetimeField(description="Time of writing to the outbox")
    brand_position = fields.BigIntField(
        description="Position among the events of its brand, without gaps since the second edition"
    )
    epoch = fields.BigIntField(db_default=0, description="Epoch of its writing")

    class Meta:
        table = "events"
        constraints = (UniqueConstraint(("challenge_id", "number"), "events_number"),)


class ChallengeNumber(Model):
    """The number of the newest event of a challenge."""

    challenge_id = fields.BigIntField(primary_key=True, generated=False)
    number = fields.BigIntField()

    class Meta:
        table = "challenge_numbers"


class BrandPosition(Model):
    """The position of a brand's newest event."""

    brand = Text(primary_key=True)
    position = fields.BigIntField()

    class Meta:
        table = "brand_positions"


class Epoch(Model):
    """An epoch of the database: a new one begins after a restore or a promotion."""

    id = DeskIdentity()
    epoch = fields.BigIntField(
        description="Number: 0 for the first epoch, then random, so that two restores never share one",
    )
    server = Text(
        description="Timeline, number of the database and transaction by which it was written; empty until a process "
        "has looked"
    )
    position = fields.BigIntField(
        description="Position of the newest event at its start; later events are of this or a later epoch"
    )
    batch = fields.BigIntField(description="Newest batch at its start")
    began_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "epochs"
        constraints = (UniqueConstraint(("epoch",), "epochs_epoch"),)


class EventPosition(Model):
    """One row: the positions of the newest event and of the newest deleted one."""

    id = fields.SmallIntField(primary_key=True, generated=False, db_default=1)
    position = fields.BigIntField(db_default=0, description="Position of the newest event")
    forgotten = fields.BigIntField(db_default=0, description="Events up to this position are deleted")

    class Meta:
        table = "event_position"
