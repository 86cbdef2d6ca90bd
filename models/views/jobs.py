"""Jobs as operators see them."""

from models.views.listing import Listing
from models.views.sight import of_brand

JOBS = Listing(
    columns="""t.id, t.brand, t.kind, t.status, t.attempts, t.challenge_id, t.account_id, t.waits_for_batch, t.due_at,
  t.outcome, t.created_at, t.done_at""",
    source="jobs t",
    sight=of_brand,
    filters={
        "brand": "t.brand = {}",
        "status": "t.status = any({}::text[])",
        "kind": "t.kind = {}",
        "challenge_id": "t.challenge_id = {}",
        "account_id": "t.account_id = {}",
    },
)
