"""Programs and their steps as the API shows them."""

from models.views.list_query import IndexedFilter, Listing, OrderKey, ParentLink
from models.views.search import column_part, id_part, text_filter
from models.views.visibility import of_brand, of_program

PROGRAMS = Listing(
    columns="""t.id, t.brand, t.name, t.description, t.price, t.price_currency, t.status, t.sort_index, t.zone,
  to_char(t.day_start, 'HH24:MI:SS') as day_start, t.version, t.created_at, t.updated_at,
  coalesce((select f.profit_split from program_phases f where f.program_id = t.id and f.phase_type = 1), 0)
    as profit_split""",
    source="programs t",
    visibility=of_program,
    brand="t.brand",
    order=(OrderKey("t.sort_index", "sort_index"), OrderKey("t.id", "id")),
    descending=False,
    filters={
        "status": IndexedFilter("t.status", "smallint", of_brand=True),
        "phase_type": "{} = any(array(select f.phase_type from program_phases f where f.program_id = t.id))",
        "text": text_filter(id_part("programs", "t"), column_part("programs", "t", "name")),
        "created_from": "t.created_at >= {}",
        "created_before": "t.created_at < {}",
    },
)
STEPS = Listing(
    columns="""t.id, t.program_id, t.phase_index, t.phase_type, t.name, g.name as account_group,
  g.default_deposit as initial_balance, g.currency, t.duration_days, t.max_daily_loss_pct, t.max_total_loss_pct,
  t.max_daily_profit_pct, t.profit_target_pct, t.profit_split, t.min_trading_days, t.max_trading_days, t.max_positions,
  t.best_day_pct, t.profitable_days, t.profitable_day_pct, t.inactivity_days, t.trading_day, t.trading_day_pct,
  t.limits as limits_data,
  array(select s::numeric from jsonb_array_elements_text(t.warn_at) s) as warn_at, t.payout as payout_data,
  t.created_at, t.updated_at""",
    source="program_phases t join account_groups g on g.id = t.account_group_id",
    visibility=of_brand,
    order=(OrderKey("t.phase_index", "phase_index"),),
    descending=False,
    parents={"program": ParentLink("t.program_id = p.id")},
)
