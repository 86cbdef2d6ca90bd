"""Metric snapshots, newest first.

A later phase has a higher number, so one index serves the challenge's newest and each phase's.
"""

from datetime import datetime

from models.views.listing import Key, Listing, Parent
from models.views.sight import of_challenge

METRICS = Listing(
    columns="""t.challenge_id, t.phase_id, t.account_id, t.market_time, t.batch, t.balance, t.equity,
  t.day_start_balance, t.day_start_equity, t.day_low, t.day_high, t.peak_equity, t.recorded_at""",
    source="metrics t",
    sight=of_challenge,
    order=(
        Key("t.phase_id", "phase_id"),
        Key("t.batch", "batch"),
        Key("t.market_time", "market_time", datetime),
        Key("t.recorded_at", "recorded_at", datetime),
    ),
    parents={
        "challenge": Parent("t.challenge_id = p.id"),
        "phase": Parent("t.challenge_id = p.challenge_id and t.phase_id = p.id", "challenge_phases p"),
    },
)
