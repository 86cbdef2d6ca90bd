"""Programs and their phases."""

from datetime import time

import asyncpg
from tortoise import fields
from tortoise.fields.db_defaults import Now
from tortoise.models import Model

from models.sql import Connection

# One statement, so one snapshot: no phase of one version beside a group of another.
AS_SOLD = """
select p.id, p.version, p.name as program_name, p.price, p.price_currency, p.zone, p.day_start,
  f.phase_index, f.phase_type, f.name, f.duration_days, f.max_daily_loss_pct, f.max_total_loss_pct,
  f.max_daily_profit_pct, f.profit_target_pct, f.profit_split, f.min_trading_days, f.max_trading_days, f.max_positions,
  f.best_day_pct, f.profitable_days, f.profitable_day_pct, f.inactivity_days,
  f.limits::text, f.warn_at::text, f.payout::text,
  g.name as account_group, g.kind, g.currency, g.default_deposit, g.policy::text
from programs p
join program_phases f on f.program_id = p.id
join account_groups g on g.id = f.account_group_id
where p.id = $1 order by f.phase_index
"""
PHASES = """
select f.*, g.name as account_group
from program_phases f join account_groups g on g.id = f.account_group_id
where f.program_id = $1 order by f.phase_index
"""


class LocalTimeField(fields.Field[time], time):
    """A time of day in the program's own zone. Tortoise's TimeField would give it UTC's."""

    SQL_TYPE = "TIME"

    def to_python_value(self, value: time) -> time:
        """As it comes; the inherited one would call `time` with it."""
        return value


class Program(Model):
    id = fields.BigIntField(primary_key=True)
    brand = fields.CharField(max_length=32)
    name = fields.CharField(max_length=200)
    description = fields.TextField(default="")
    price = fields.DecimalField(max_digits=28, decimal_places=8)
    price_currency = fields.CharField(max_length=10)
    status = fields.SmallIntField(default=1)
    sort_index = fields.IntField(default=0)
    zone = fields.TextField(default="UTC")
    day_start = LocalTimeField(default=time(0))
    version = fields.IntField(default=1)
    created_at = fields.DatetimeField(db_default=Now())
    updated_at = fields.DatetimeField(db_default=Now())

    class Meta:
        table = "programs"


class ProgramPhase(Model):
    id = fields.BigIntField(primary_key=True)
    program_id = fields.BigIntField()
    phase_index = fields.SmallIntField()
    phase_type = fields.SmallIntField()
    name = fields.CharField(max_length=200)
    account_group_id = fields.BigIntField()
    duration_days = fields.IntField(default=0)
    max_daily_loss_pct = fields.DecimalField(max_digits=28, decimal_places=8, default=0)
    max_total_loss_pct = fields.DecimalField(max_digits=28, decimal_places=8, default=0)
    max_daily_profit_pct = fields.DecimalField(max_digits=28, decimal_places=8, default=0)
    profit_target_pct = fields.DecimalField(max_digits=28, decimal_places=8, default=0)
    profit_split = fields.DecimalField(max_digits=28, decimal_places=8, default=0)
    min_trading_days = fields.IntField(default=0)
    max_trading_days = fields.IntField(default=0)
    max_positions = fields.IntField(default=0)
    best_day_pct = fields.DecimalField(max_digits=28, decimal_places=8, default=0)
    profitable_days = fields.IntField(default=0)
    profitable_day_pct = fields.DecimalField(max_digits=28, decimal_places=8, default=0)
    inactivity_days = fields.IntField(default=0)
    limits: fields.Field[dict[str, dict[str, object]]] = fields.JSONField(default=dict)
    warn_at: fields.Field[list[str]] = fields.JSONField(default=list)
    payout: fields.Field[dict[str, object]] = fields.JSONField(default=dict)
    created_at = fields.DatetimeField(db_default=Now())
    updated_at = fields.DatetimeField(db_default=Now())

    class Meta:
        table = "program_phases"


async def as_sold(conn: Connection, program_id: int) -> list[asyncpg.Record]:
    """The program with each of its phases and their groups, a row a phase; none where there is no such program."""
    sold: list[asyncpg.Record] = await conn.fetch(AS_SOLD, program_id)
    return sold


async def phases(conn: Connection, program_id: int) -> list[asyncpg.Record]:
    """The program's phases in order, each with the name of its group."""
    found: list[asyncpg.Record] = await conn.fetch(PHASES, program_id)
    return found
