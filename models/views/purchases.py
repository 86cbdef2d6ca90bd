"""Purchases as the API shows them."""

from models.views.listing import Listing
from models.views.sight import of_client

PURCHASES = Listing(
    columns="""t.id, t.brand, t.client, t.status, t.price, t.currency, t.paid_from,
  coalesce(t.failure_shown, case when t.failure_reason is not null then 'The purchase failed.' end) as failure_reason,
  t.failure_reason as internal_failure_reason, t.external_reference, t.comment, t.tags, t.created_at, t.updated_at,
  t.wallet_id, t.program_id, t.terms_hash,
  g.version <> r.program_version as program_changed,
  case when t.payment_reference is null then 'WALLET' else 'EXTERNAL' end as payment, t.payment_reference, t.expires_at,
  (select h.account_id from challenges h where h.purchase_id = t.id order by h.id desc limit 1) as account_id""",
    source="""purchases t left join programs g on g.id = t.program_id
  left join terms r on r.hash = t.terms_hash""",
    sight=of_client,
    filters={
        "brand": "t.brand = {}",
        "status": "t.status = any({}::smallint[])",
        "client": "t.client = {}",
        "program_id": "t.program_id = {}",
        "wallet_id": "t.wallet_id = {}",
        "payment_reference": "t.payment_reference = {}",
        "tag": "{} = any(t.tags)",
        "created_from": "t.created_at >= {}",
        "created_before": "t.created_at < {}",
        "text": """(strpos(lower(t.client), lower({0})) > 0 or strpos(lower(t.external_reference), lower({0})) > 0
          or t.id::text = {0} or exists (
            select from programs g where g.id = t.program_id and strpos(lower(g.name), lower({0})) > 0))""",
    },
)
