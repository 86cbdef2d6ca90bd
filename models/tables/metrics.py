"""Metric snapshots of phases."""

from tortoise import fields

from models.tables.fields import CLOCK, Money, reference
from models.tables.keys import CompositeKey, TableIndex


class Metric(CompositeKey):
    """A metric snapshot of a phase. Partitioned by month of recording."""

    challenge = reference("Challenge", db_constraint=False)
    phase = reference("ChallengePhase", db_constraint=False)
    account = reference("Account", db_constraint=False)
    market_time = fields.DatetimeField()
    batch = fields.BigIntField(primary_key=True, generated=False)
    balance = Money()
    equity = Money()
    day_start_balance = Money()
    day_start_equity = Money()
    day_low = Money()
    day_high = Money()
    peak_equity = Money(description="The highest equity of the phase so far")
    recorded_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "metrics"
        primary_key = ()
        indexes = (TableIndex("challenge_id", "phase_id desc", "batch desc", name="metrics_newest"),)
