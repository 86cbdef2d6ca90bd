"""Account groups as the API shows them."""

from models.views.list_query import Listing, OrderKey
from models.views.visibility import of_brand

GROUPS = Listing(
    columns="""t.id, t.brand, t.name, t.kind, t.currency, t.default_deposit, t.policy, t.version, t.created_at,
  t.updated_at""",
    source="account_groups t",
    visibility=of_brand,
    order=(OrderKey("t.brand", "brand", str), OrderKey("t.name", "name", str)),
    descending=False,
    brand="t.brand",
    filters={"kind": "t.kind = {}"},
)
