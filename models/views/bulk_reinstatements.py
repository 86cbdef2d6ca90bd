"""Bulk reinstatements, the newest first, and the challenges of each."""

from models.views.list_query import Listing, OrderKey, ParentLink
from models.views.visibility import of_brand, of_challenge

BULK_REINSTATEMENTS = Listing(
    columns="""t.id, t.brand, t.symbol, t.source_from, t.source_before, t.actor, t.reason, t.recorded_at, n.*""",
    source="""bulk_reinstatements t cross join lateral (
    select count(outcome) as hit, count(outcome) filter (where outcome = 'PENDING') as pending,
      count(outcome) filter (where outcome = 'REINSTATED') as reinstated,
      count(outcome) filter (where outcome = 'REFUSED') as refused
    from bulk_results where bulk_id = t.id) n""",
    visibility=of_brand,
)
BULK_RESULTS = Listing(
    columns="t.challenge_id, t.outcome, t.code, t.message, t.decided_at",
    source="bulk_results t join challenges c on c.id = t.challenge_id",
    visibility=of_challenge,
    order=(OrderKey("t.challenge_id", "challenge_id"),),
    descending=False,
    id="t.challenge_id = any({}::bigint[])",
    filters={"outcome": "t.outcome = any({}::text[])"},
    parents={"bulk": ParentLink("t.bulk_id = p.id")},
)
