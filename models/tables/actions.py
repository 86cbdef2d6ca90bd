"""Decision actions and their results."""

from typing import Any

from tortoise import fields
from tortoise.fields.db_defaults import SqlDefault
from tortoise.migrations.constraints import UniqueConstraint

from domain.lifecycles import ActionStatus
from models.tables.fields import CLOCK, Choice, Text, reference
from models.tables.keys import CompositeKey, TableIndex


class DecisionAction(CompositeKey):
    """An action that was submitted, and its result."""

    account = reference("Account", db_constraint=False)
    seq = fields.BigIntField(primary_key=True, generated=False)
    run = Text(description="The caller's run, within which an action id is unique")
    action_id = Text()
    content: fields.Field[dict[str, Any]] = fields.JSONField(description="The action as submitted, without run and id")
    status = Choice(ActionStatus)
    refusal: fields.Field[dict[str, Any] | None] = fields.JSONField(
        null=True, description="Code and details of a refusal"
    )
    quote: fields.Field[dict[str, Any]] = fields.JSONField(
        db_default=SqlDefault("'{}'"), description="Quote at the decision"
    )
    order_seq = fields.BigIntField(null=True)
    market_time = fields.DatetimeField()
    batch = fields.BigIntField()
    recorded_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "decision_actions"
        primary_key = ("account_id", "seq")
        constraints = (UniqueConstraint(("account_id", "run", "action_id"), "decision_actions_once"),)
        indexes = (TableIndex("account_id", "status", "seq", name="decision_actions_status"),)
