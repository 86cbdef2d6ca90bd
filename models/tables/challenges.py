"""Challenges, the runs of their phases, and the trading days of each run."""

from tortoise import fields
from tortoise.fields import SET_NULL
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from domain.lifecycles import ChallengeStatus
from domain.terms import PhaseType
from models.tables.fields import CLOCK, Choice, Identity, Money, Text, reference
from models.tables.keys import CompositeKey, SearchIndex, TableIndex, UniqueIndex


class Challenge(Model):
    """A client's challenge, under the frozen terms of its sale."""

    id = Identity()
    brand = reference("Brand", column="brand")
    client = Text()
    purchase = reference(
        "Purchase",
        on_delete=SET_NULL,
        null=True,
        related_name="challenges",
        description="Null once the purchase is deleted",
    )
    program = reference("Program", null=True)
    terms = reference("Terms", column="terms_hash")
    status = Choice(ChallengeStatus)
    current_phase_index = fields.SmallIntField(db_default=1)
    account = reference("Account", null=True, db_constraint=False, description="Account of the current phase")
    created_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    end_reason = Text(null=True)
    recorded_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "challenges"
        constraints = (UniqueIndex(("purchase_id",), "challenges_one_live", "status in (0, 1)"),)
        indexes = (
            TableIndex("purchase_id", name="challenges_purchase"),
            TableIndex("brand", "id", name="challenges_brand"),
            TableIndex("brand", "client", "id", name="challenges_client"),
            TableIndex("brand", "status", "id", name="challenges_status"),
            TableIndex("brand", "client", name="challenges_open", where="(status = ANY (ARRAY[0, 1]))"),
            TableIndex("program_id", "id", name="challenges_program"),
            TableIndex("brand", "created_at", name="challenges_created_at"),
            SearchIndex("brand", "client gin_trgm_ops", name="challenges_search"),
            TableIndex("terms_hash", name="challenges_terms"),
            TableIndex("account_id", name="challenges_account"),
        )


class ChallengePhase(Model):
    """A run of a phase of a challenge, on its own account."""

    id = Identity()
    challenge = reference("Challenge", related_name="phases")
    phase_index = fields.SmallIntField()
    phase_type = Choice(PhaseType)
    account = reference("Account", null=True, description="Null before the phase begins")
    status = Choice(ChallengeStatus)
    initial_balance = Money()
    start_equity = Money(null=True, description="Equity at its start")
    started_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)
    end_reason = Text(null=True)
    run = fields.SmallIntField(db_default=1, description="Number of the run, from 1; a reinstatement adds a run")
    superseded = fields.BooleanField(db_default=False, description="Whether a later run of the phase replaces it")

    class Meta:
        table = "challenge_phases"
        constraints = (
            UniqueConstraint(("challenge_id", "phase_index", "run"), "challenge_phases_index"),
            UniqueIndex(("challenge_id", "phase_index"), "challenge_phases_in_force", "not superseded"),
            UniqueIndex(("challenge_id",), "challenge_phases_one_running", "status = 1"),
            UniqueIndex(("account_id",), "challenge_phases_account"),
        )


class Day(CompositeKey):
    """A trading day of a run of a phase."""

    phase = reference("ChallengePhase", related_name="days")
    number = fields.IntField(primary_key=True, generated=False, description="Number of the day, from 1")
    date = fields.DateField()
    start_balance = Money()
    start_equity = Money()
    balance = Money()
    equity = Money()
    low = Money()
    high = Money()
    traded = fields.BooleanField(description="Whether the day counts as traded")
    ends_at = fields.DatetimeField(description="Start of the next day")
    closed = fields.BooleanField(description="Whether the day has ended")

    class Meta:
        table = "days"
        primary_key = ("phase_id", "number")
