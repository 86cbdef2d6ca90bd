"""Programs and their phases."""

import asyncpg

from models.sql import Connection

# One statement, so that program, phases and groups come from one snapshot.
AS_SOLD = """
select p.id, p.version, p.name as program_name, p.price, p.price_currency, p.zone, p.day_start,
  f.phase_index, f.phase_type, f.name, f.duration_days, f.max_daily_loss_pct, f.max_total_loss_pct,
  f.max_daily_profit_pct, f.profit_target_pct, f.profit_split, f.min_trading_days, f.max_trading_days, f.max_positions,
  f.best_day_pct, f.profitable_days, f.profitable_day_pct, f.inactivity_days, f.trading_day, f.trading_day_pct,
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


async def read_program_for_sale(conn: Connection, program_id: int) -> list[asyncpg.Record]:
    """Return a row for each phase of the program, with program and group; no rows if there is no such program."""
    rows: list[asyncpg.Record] = await conn.fetch(AS_SOLD, program_id)
    return rows


async def program_phases(conn: Connection, program_id: int) -> list[asyncpg.Record]:
    """Return the phases of the program in order, each with the name of its group."""
    rows: list[asyncpg.Record] = await conn.fetch(PHASES, program_id)
    return rows
