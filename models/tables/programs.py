"""Programs and their phases as sold now."""

from typing import Any

from tortoise import fields
from tortoise.fields import CASCADE
from tortoise.fields.db_defaults import SqlDefault
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from domain.lifecycles import ProgramStatus
from domain.terms import PhaseType, TradingDay
from models.tables.fields import NOW, Choice, Identity, LocalTime, Money, Text, reference
from models.tables.keys import SearchIndex, TableIndex, UniqueIndex


class Program(Model):
    """A program as it is sold now; each sale freezes it into terms."""

    id = Identity()
    brand = reference("Brand", column="brand")
    brand_id: str
    name = Text()
    description = Text(db_default="")
    price = Money(description="Price for the client")
    price_currency = reference("Currency", column="price_currency")
    price_currency_id: str
    status = Choice(ProgramStatus, db_default=ProgramStatus.DISABLED)
    sort_index = fields.IntField(db_default=0, description="Place in lists")
    zone = Text(db_default="UTC", description="IANA time zone in which its trading days begin")
    day_start = LocalTime(db_default=SqlDefault("'00:00'"), description="Local time at which a trading day begins")
    version = fields.IntField(db_default=1, description="Raised by every change")
    created_at = fields.DatetimeField(db_default=NOW)
    updated_at = fields.DatetimeField(db_default=NOW)

    class Meta:
        table = "programs"
        indexes = (
            TableIndex("brand", "status", "sort_index", "id", name="programs_brand"),
            TableIndex("brand", "sort_index", "id", name="programs_order"),
            TableIndex("sort_index", "id", name="programs_order_all"),
            SearchIndex("brand", "name gin_trgm_ops", name="programs_search"),
            TableIndex("price_currency", name="programs_price_currency"),
        )


class ProgramPhase(Model):
    """A phase of a program. Percentages are in percent: 5 is 5 %."""

    id = Identity()
    program = reference("Program", on_delete=CASCADE, related_name="phases")
    phase_index = fields.SmallIntField(description="Counted from 1")
    phase_type = Choice(PhaseType)
    name = Text()
    account_group = reference("AccountGroup", related_name="phases")
    duration_days = fields.IntField(db_default=0, description="0: no limit")
    max_daily_loss_pct = Money(db_default=0)
    max_total_loss_pct = Money(db_default=0)
    max_daily_profit_pct = Money(db_default=0)
    profit_target_pct = Money(db_default=0)
    profit_split = Money(db_default=0, description="The client's share, from 0 to 1")
    min_trading_days = fields.IntField(db_default=0)
    max_trading_days = fields.IntField(db_default=0)
    max_positions = fields.IntField(db_default=0)
    best_day_pct = Money(db_default=0)
    profitable_days = fields.IntField(db_default=0)
    profitable_day_pct = Money(db_default=0)
    inactivity_days = fields.IntField(db_default=0)
    trading_day = Choice(TradingDay, db_default=TradingDay.FILL)
    trading_day_pct = Money(db_default=0)
    limits: fields.Field[dict[str, Any]] = fields.JSONField(
        db_default=SqlDefault("'{}'"), description="Options of each limit, by rule"
    )
    warn_at: fields.Field[list[str]] = fields.JSONField(
        db_default=SqlDefault("'[]'"), description="Shares of each limit at which an early warning is given, as text"
    )
    payout: fields.Field[dict[str, Any]] = fields.JSONField(
        db_default=SqlDefault("'{}'"), description="Conditions for a payout request"
    )
    created_at = fields.DatetimeField(db_default=NOW)
    updated_at = fields.DatetimeField(db_default=NOW)

    class Meta:
        table = "program_phases"
        constraints = (
            UniqueConstraint(("program_id", "phase_index"), "program_phases_index"),
            UniqueIndex(("program_id",), "program_phases_one_funded", "phase_type = 1"),
        )
        indexes = (TableIndex("account_group_id", name="program_phases_account_group"),)
