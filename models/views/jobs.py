"""Jobs as operators see them."""

from models.views.list_query import Each, Listing, Within
from models.views.visibility import of_brand

JOBS = Listing(
    columns="""t.id, t.brand, t.kind, t.status, t.attempts, t.challenge_id, t.account_id, t.waits_for_batch, t.due_at,
  t.outcome, t.created_at, t.done_at""",
    source="jobs t",
    sight=of_brand,
    filters={
        "challenge_id": Within("t.challenge_id = {}"),
        "account_id": Within("t.account_id = {}"),
        "status": Each("t.status", of_brand=True),
        "kind": Each("t.kind", of_brand=True),
    },
    brand="t.brand",
)
