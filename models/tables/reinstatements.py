"""Reinstatements, single and in bulk."""

from typing import Any

from tortoise import fields
from tortoise.fields.db_defaults import SqlDefault
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from domain.reinstatements import BulkOutcome
from models.tables.fields import CLOCK, Choice, Identity, Text, reference
from models.tables.keys import CompositeKey, TableIndex


class Reinstatement(Model):
    """A failing verdict that was set aside because it rested on void quotes; verdict and evidence stay."""

    id = Identity()
    challenge = reference("Challenge")
    breach = reference("Breach", description="Breach that is the evidence of the verdict")
    phase = reference("ChallengePhase", description="Failed run")
    new_phase = reference("ChallengePhase", description="Run that replaces it")
    actor = Text(description="Role and name of the token")
    reason = Text(description="Reason, for the client")
    market_time = fields.DatetimeField()
    figures: fields.Field[dict[str, Any]] = fields.JSONField(description="Opening figures of the new run")
    differences: fields.Field[list[dict[str, Any]]] = fields.JSONField(
        description="Figures of the failed run that differ"
    )
    left_out: fields.Field[list[int]] = fields.JSONField(
        db_default=SqlDefault("'[]'"), description="Fills of the failed run, by seq, that the new run leaves out"
    )
    recorded_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "reinstatements"
        constraints = (
            UniqueConstraint(("breach_id",), "reinstatements_breach"),
            UniqueConstraint(("phase_id",), "reinstatements_phase"),
            UniqueConstraint(("new_phase_id",), "reinstatements_new_phase"),
        )
        indexes = (TableIndex("challenge_id", "id desc", name="reinstatements_challenge"),)


class BulkReinstatement(Model):
    """A request to set aside every verdict that rested on void quotes of a span, with a job for each challenge."""

    id = Identity()
    brand = reference("Brand", column="brand", null=True, description="Null for all brands")
    symbol = Text()
    source_from = fields.DatetimeField()
    source_before = fields.DatetimeField()
    actor = Text(description="Role and name of the token")
    reason = Text(description="Reason, for the firm")
    shown = Text(null=True, description="Reason, for each client; null for a neutral text")
    recorded_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "bulk_reinstatements"
        indexes = (TableIndex("brand", "id desc", name="bulk_reinstatements_brand"),)


class BulkResult(CompositeKey):
    """A challenge affected by the quotes of a bulk reinstatement, and the outcome."""

    bulk = reference("BulkReinstatement")
    challenge_id = fields.BigIntField(primary_key=True, generated=False)
    outcome = Choice(BulkOutcome, db_default=BulkOutcome.PENDING)
    code = Text(null=True, description="Part of the refusal")
    message = Text(null=True, description="Part of the refusal")
    decided_at = fields.DatetimeField(null=True)

    class Meta:
        table = "bulk_results"
        primary_key = ("bulk_id", "challenge_id")
        indexes = (
            TableIndex("challenge_id", name="bulk_results_challenge"),
            TableIndex("bulk_id", "challenge_id", name="bulk_results_pending", where="outcome = 'PENDING'"),
        )
