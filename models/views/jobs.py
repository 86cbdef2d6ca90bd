"""Jobs, for operators."""

from models.views.list_query import IndexedFilter, Listing, NarrowFilter
from models.views.visibility import of_brand

JOBS = Listing(
    columns="""t.id, t.brand, t.kind, t.status, t.attempts, t.challenge_id, t.account_id, t.waits_for_batch, t.due_at,
  t.outcome, t.created_at, t.done_at""",
    source="jobs t",
    visibility=of_brand,
    filters={
        "challenge_id": NarrowFilter("t.challenge_id = {}"),
        "account_id": NarrowFilter("t.account_id = {}"),
        "status": IndexedFilter("t.status", of_brand=True),
        "kind": IndexedFilter("t.kind", of_brand=True),
    },
    brand="t.brand",
)
