"""Events: the outbox they are written to, and the stream they are read from."""

from typing import Any

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.tables.fields import CLOCK, DeskIdentity, Text


class OutboxEvent(Model):
    """An event that is written and not yet numbered."""

    id = DeskIdentity()
    brand = Text()
    challenge_id = fields.BigIntField()
    client = Text(null=True, description="Whose challenge it was, which may be deleted")
    name = Text()
    payload: fields.Field[dict[str, Any]] = fields.JSONField()
    market_time = fields.DatetimeField()
    written_at = fields.DatetimeField(db_default=CLOCK, description="Just before its transaction commits")

    class Meta:
        table = "outbox"


class Event(Model):
    """An event as subscribers see it."""

    position = fields.BigIntField(
        primary_key=True, generated=False, description="Dense over all brands; shown to nobody"
    )
    brand = Text()
    challenge_id = fields.BigIntField()
    number = fields.BigIntField(description="Dense within the challenge")
    client = Text(null=True)
    name = Text()
    payload: fields.Field[dict[str, Any]] = fields.JSONField()
    market_time = fields.DatetimeField()
    recorded_at = fields.DatetimeField(description="When it was written into the outbox")
    brand_position = fields.BigIntField(description="Among the events of its brand; dense since the second edition")
    epoch = fields.BigIntField(db_default=0, description="In which it was written")

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
    """The brand's position of its newest event."""

    brand = Text(primary_key=True)
    position = fields.BigIntField()

    class Meta:
        table = "brand_positions"


class Epoch(Model):
    """A span of the database's life: a new one begins when it goes on elsewhere, as after a restore."""

    id = DeskIdentity()
    epoch = fields.BigIntField(
        description="Its number: 0 for the first one, then random, so that two restores never have the same",
    )
    server = Text(
        description="Timeline, number of the database and transaction by which it was written; empty until a process "
        "has looked"
    )
    position = fields.BigIntField(
        description="Of the newest event when it began; events after it are of this epoch or a later one"
    )
    batch = fields.BigIntField(description="The newest batch when it began")
    began_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "epochs"
        constraints = (UniqueConstraint(("epoch",), "epochs_epoch"),)


class EventPosition(Model):
    """One row: the position of the newest event, and of the newest that is no longer kept."""

    id = fields.SmallIntField(primary_key=True, generated=False, db_default=1)
    position = fields.BigIntField(db_default=0, description="Of the newest event")
    forgotten = fields.BigIntField(db_default=0, description="Events up to this position are no longer kept")

    class Meta:
        table = "event_position"
