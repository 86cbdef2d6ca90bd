"""Breaches, newest first, with the evidence to derive each again."""

from models.views.list_query import Listing, ParentLink
from models.views.visibility import of_challenge

BREACHES = Listing(
    columns="""t.id, t.challenge_id, t.phase_id, f.phase_index, t.account_id, t.rule, t.consequence, t.day, t.day_date,
  t.market_time, t.batch, t."limit", t.floor, t.observed, t.headroom, t.derivation, t.ledger_seq,
  encode(t.ledger_hash, 'hex') as ledger_hash, t.terms_hash, t.recorded_at, t.marks::text as marks_text""",
    source="breaches t join challenge_phases f on f.id = t.phase_id",
    visibility=of_challenge,
    parents={"challenge": ParentLink("t.challenge_id = p.id")},
)
