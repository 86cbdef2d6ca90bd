"""The audit as it is read: a brand's chain, or every one."""

from models.views.list_query import Each, Listing, Within
from models.views.spans import span
from models.views.visibility import Sight, Where


def _of_chain(where: Where, sight: Sight) -> None:
    """A brand's chain is for those who see the whole brand."""
    if sight.brand is not None:
        where.add("t.chain = {}", sight.brand)
    if sight.client is not None or sight.scope is not None:
        where.add("false")


AUDIT = Listing(
    columns="""t.id, nullif(t.chain, '') as brand, t.seq, t.actor, t.role, t.operation, t.object_kind, t.object_id,
  t.reason, t.before, t.after, t.request_id, t.recorded_at, encode(t.hash, 'hex') as hash""",
    source="audit t",
    sight=_of_chain,
    brand="t.chain",
    brands="select chain from audit_heads",
    filters={
        "request_id": Within("t.request_id = {}"),
        "object_id": Each("t.object_id", of_brand=True),
        "actor": Each("t.actor", of_brand=True),
        "operation": Each("t.operation", of_brand=True),
        "object_kind": Each("t.object_kind", of_brand=True),
        **span("recorded", "audit", "t.recorded_at", "t.id", "chain"),
    },
)
