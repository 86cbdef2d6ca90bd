"""The audit of one brand or of all."""

from models.views.list_query import IndexedFilter, Listing, NarrowFilter
from models.views.spans import time_filters
from models.views.visibility import Visibility, Where


def _of_chain(where: Where, visibility: Visibility) -> None:
    """Restrict to the chain of the brand, for callers who see the whole brand."""
    if visibility.brand is not None:
        where.add("t.chain = {}", visibility.brand)
    if visibility.client is not None or visibility.scope is not None:
        where.add("false")


AUDIT = Listing(
    columns="""t.id, nullif(t.chain, '') as brand, t.seq, t.actor, t.role, t.operation, t.object_kind, t.object_id,
  t.reason, t.before, t.after, t.request_id, t.recorded_at, encode(t.hash, 'hex') as hash""",
    source="audit t",
    visibility=_of_chain,
    brand="t.chain",
    brands="select chain from audit_heads",
    filters={
        "request_id": NarrowFilter("t.request_id = {}"),
        "object_id": IndexedFilter("t.object_id", of_brand=True),
        "actor": IndexedFilter("t.actor", of_brand=True),
        "operation": IndexedFilter("t.operation", of_brand=True),
        "object_kind": IndexedFilter("t.object_kind", of_brand=True),
        **time_filters("recorded", "audit", "t.recorded_at", "t.id", "chain"),
    },
)
