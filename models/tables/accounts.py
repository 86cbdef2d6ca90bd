"""Accounts and their current state."""

from typing import Any

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields import NO_ACTION, SET_NULL
from tortoise.fields.db_defaults import SqlDefault
from tortoise.models import Model

from domain.accounts import Mode
from domain.lifecycles import AccountStatus
from models.tables.fields import CLOCK, Choice, Identity, Money, Text, TransactionId, reference
from models.tables.keys import SearchIndex, TableIndex


class Account(Model):
    """A trading account; its id is also its login."""

    id = Identity()
    brand = reference("Brand", column="brand")
    challenge = reference(
        "Challenge",
        on_delete=SET_NULL,
        null=True,
        related_name="accounts",
        description="Null for an account without a challenge, which is its own lock root",
    )
    group_name = Text(description="Name of the account group at its opening")
    mode = Choice(Mode)
    status = Choice(AccountStatus, db_default=AccountStatus.PENDING)
    read_only = fields.BooleanField(db_default=False)
    blocked_until = fields.DatetimeField(null=True)
    locked_from = Choice(AccountStatus, null=True, description="Status before the lock")
    owner = Text(null=True, description="Name of its owner, who trades it")
    clone_name = Text(
        source_field="clone", null=True, description="Name of the clone (copy of a strategy) that trades it"
    )
    parent = reference("Account", null=True)
    currency = reference("Currency", column="currency")
    policy = Text(description="Execution policy at its opening, as canonical JSON")
    starting_balance = Money()
    result: fields.Field[dict[str, Any] | None] = fields.JSONField(
        null=True, description="Final snapshot of an ended account"
    )
    created_at = fields.DatetimeField()
    started_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)
    recorded_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "accounts"
        indexes = (
            TableIndex("challenge_id", name="accounts_challenge"),
            TableIndex("brand", "id", name="accounts_brand"),
            TableIndex("brand", "owner", "id", name="accounts_owner"),
            TableIndex("brand", "clone", "id", name="accounts_clone"),
            TableIndex(
                "brand", "clone", "challenge_id", name="accounts_clone_challenge", where="challenge_id is not null"
            ),
            TableIndex("brand", "group_name", "id", name="accounts_group"),
            TableIndex("brand", "status", "id", name="accounts_status"),
            TableIndex("brand", "mode", "id", name="accounts_mode"),
            TableIndex("parent_id", "id", name="accounts_parent"),
            SearchIndex(
                "brand",
                "owner gin_trgm_ops",
                "clone gin_trgm_ops",
                "group_name gin_trgm_ops",
                name="accounts_search",
            ),
            TableIndex("currency", name="accounts_currency"),
        )


class Balance(Model):
    """The current state of an account: money, ledger head, day of its phase. The only rows that the marker locks."""

    account: fields.OneToOneRelation[Any] = fields.OneToOneField(
        "models.Account", primary_key=True, on_delete=NO_ACTION, related_name="balance"
    )
    cash = Money(db_default=0, description="Realised cash, without open profit")
    realised = Money(db_default=0)
    fees = Money(db_default=0)
    unrealised = Money(db_default=0, description="Open profit")
    equity = Money(db_default=0)
    high_watermark = Money(db_default=0, description="The highest equity so far")
    seq = fields.BigIntField(db_default=0, description="Number of the newest ledger row")
    head = fields.BinaryField(description="Hash of the newest ledger row")
    marked_through = fields.BigIntField(db_default=0, description="Newest batch that it is marked through")
    marked_at = fields.DatetimeField(null=True)
    ledger_due_at = fields.DatetimeField(null=True, description="Time of the next mark on the ledger")
    live = fields.BooleanField(
        db_default=False, description="Whether it is marked: its phase runs, or it has a position or a working order"
    )
    day = fields.IntField(null=True, description="Number of the running day of its phase")
    day_date = fields.DateField(null=True)
    day_ends_at = fields.DatetimeField(null=True)
    day_start_balance = Money(null=True)
    day_start_equity = Money(null=True)
    day_low = Money(null=True)
    day_high = Money(null=True)
    peak_equity = Money(null=True)
    peak_balance = Money(null=True)
    peak_end_of_day = Money(null=True)
    day_traded = fields.BooleanField(db_default=False)
    days_traded = fields.IntField(db_default=0)
    days_profitable = fields.IntField(db_default=0)
    best_day_profit = Money(db_default=0)
    last_fill_day = fields.IntField(db_default=1)
    day_withdrawn = Money(
        db_default=0, description="Withdrawals of the day, which do not lower the floor of the daily loss"
    )
    day_findings: fields.Field[list[str]] = ArrayField(
        "text", db_default=SqlDefault("'{}'"), description="Rules broken on the running day"
    )
    metric_due_at = fields.DatetimeField(null=True, description="Time of the next metric snapshot")
    refusals_end_at = fields.DatetimeField(null=True, description="End of the day of the last refused action")
    refusals_since = fields.BigIntField(null=True, description="Seq of the ledger row at the first refusal of that day")
    refusals_stored = fields.BigIntField(db_default=0, description="Number of stored refusals of that day")
    refusals_beyond = fields.BigIntField(
        db_default=0, description="Number of refusals of that day beyond the account's share, which are not stored"
    )
    touched = TransactionId(
        db_default=SqlDefault("pg_current_xact_id()"),
        description="Last transaction that changed the row otherwise than by a mark",
    )

    class Meta:
        table = "balances"
        indexes = (
            TableIndex("account_id", name="balances_live", where="live"),
            TableIndex("touched", name="balances_touched"),
        )
