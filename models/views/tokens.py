"""API tokens without their secret."""

from models.views.list_query import Listing
from models.views.visibility import of_brand

TOKENS = Listing(
    columns="""t.id, t.brand, t.role, t.name, t.subject, t.prefix, t.created_at, t.expires_at, t.revoked_at,
  t.last_used_at, t.scope as stored_scope""",
    source="tokens t",
    visibility=of_brand,
    brand="t.brand",
    filters={
        "role": "t.role = any({}::text[])",
        "valid": "(t.revoked_at is null and coalesce(t.expires_at > clock_timestamp(), true)) = {}",
    },
)
