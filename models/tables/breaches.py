"""Breaches."""

from typing import Any

from tortoise import fields
from tortoise.fields.db_defaults import SqlDefault
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from domain.rule_table import Rule
from domain.terms import Consequence
from models.tables.fields import CLOCK, Choice, Identity, Money, reference
from models.tables.keys import TableIndex, UniqueIndex


class Breach(Model):
    """A broken rule, with its evidence."""

    id = Identity()
    challenge = reference("Challenge", related_name="breaches")
    phase = reference("ChallengePhase")
    account = reference("Account")
    rule = Choice(Rule)
    consequence = Choice(Consequence)
    day = fields.IntField()
    day_date = fields.DateField()
    market_time = fields.DatetimeField()
    batch = fields.BigIntField()
    limit = Money(description="Amount of the limit: the allowed loss or gain")
    floor = Money(description="Level that was hit")
    observed = Money(description="Figure that hit the level")
    headroom = Money()
    derivation: fields.Field[dict[str, Any]] = fields.JSONField(
        description="Derivation of the level from terms and day"
    )
    ledger_seq = fields.BigIntField(description="Seq of the ledger row of the finding")
    ledger_hash = fields.BinaryField()
    terms = reference("Terms", column="terms_hash")
    recorded_at = fields.DatetimeField(db_default=CLOCK)
    marks: fields.Field[list[dict[str, Any]]] = fields.JSONField(
        db_default=SqlDefault("'[]'"), description="Open positions at the breach, with prices and rates"
    )

    class Meta:
        table = "breaches"
        constraints = (
            UniqueConstraint(("phase_id", "rule", "day"), "breaches_once_a_day"),
            UniqueIndex(("phase_id",), "breaches_one_failure", "consequence = 'FAIL'"),
        )
        indexes = (
            TableIndex("challenge_id", "id desc", name="breaches_challenge"),
            TableIndex("account_id", name="breaches_account"),
            TableIndex("terms_hash", name="breaches_terms"),
            TableIndex("batch", name="breaches_failures", where="consequence = 'FAIL'"),
        )
