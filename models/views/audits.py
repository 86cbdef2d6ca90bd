"""The audit as it is read: a brand's chain, or every one."""

from models.views.listing import Listing
from models.views.sight import Sight, Where


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
    filters={
        "brand": "t.chain = {}",
        "object_kind": "t.object_kind = {}",
        "object_id": "t.object_id = {}",
        "actor": "t.actor = {}",
        "operation": "t.operation = any({}::text[])",
        "request_id": "t.request_id = {}",
        "recorded_from": "t.recorded_at >= {}",
        "recorded_before": "t.recorded_at < {}",
    },
)
