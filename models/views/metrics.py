"""Metric snapshots, newest first.

A later phase has a higher id, so one index serves the newest of a challenge and of each phase.
"""

from datetime import datetime

from models.views.list_query import Listing, OrderKey, ParentLink
from models.views.visibility import of_challenge

_ORDER = (
    OrderKey("t.phase_id", "phase_id"),
    OrderKey("t.batch", "batch"),
    OrderKey("t.market_time", "market_time", datetime),
    OrderKey("t.recorded_at", "recorded_at", datetime),
)
_PARENTS = {
    "challenge": ParentLink("t.challenge_id = p.id"),
    "phase": ParentLink("t.challenge_id = p.challenge_id and t.phase_id = p.id", "challenge_phases p"),
}
_COLUMNS = """t.challenge_id, t.phase_id, t.account_id, t.market_time, t.batch, t.balance, t.equity,
  t.day_start_balance, t.day_start_equity, t.day_low, t.day_high, t.peak_equity, t.recorded_at"""
METRICS = Listing(columns=_COLUMNS, source="metrics t", visibility=of_challenge, order=_ORDER, parents=_PARENTS)
# The newest figures of a running phase are in its balances: a snapshot is written at most once a minute.
LATEST = Listing(
    columns=_COLUMNS,
    source="""(
  select f.challenge_id, f.id as phase_id, b.account_id, b.marked_at as market_time, b.marked_through as batch,
    b.cash as balance, b.equity, b.day_start_balance, b.day_start_equity, b.day_low, b.day_high, b.peak_equity,
    'infinity'::timestamptz as recorded_at
  from challenge_phases f join balances b on b.account_id = f.account_id
  where f.status = 1 and f.started_at is not null
  union all
  select m.challenge_id, m.phase_id, m.account_id, m.market_time, m.batch, m.balance, m.equity, m.day_start_balance,
    m.day_start_equity, m.day_low, m.day_high, m.peak_equity, m.recorded_at
  from metrics m) t""",
    visibility=of_challenge,
    order=_ORDER,
    parents=_PARENTS,
)
