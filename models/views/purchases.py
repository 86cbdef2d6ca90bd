"""Purchases as the API shows them."""

from models.views.list_query import IndexedFilter, Listing, MatchFilter, NarrowFilter, SearchPart
from models.views.search import column_part, id_part, program_part, sees_notes, text_filter
from models.views.spans import time_filters
from models.views.visibility import of_client

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
    visibility=of_client,
    brand="t.brand",
    filters={
        "payment_reference": NarrowFilter("t.payment_reference = {}"),
        "wallet_id": IndexedFilter("t.wallet_id", "bigint"),
        "client": IndexedFilter("t.client", of_brand=True),
        "program_id": IndexedFilter("t.program_id", "bigint"),
        "status": IndexedFilter("t.status", "smallint", of_brand=True),
        **time_filters("created", "purchases", "t.created_at", "t.id"),
        "tag": MatchFilter(
            (
                SearchPart(
                    "t.tags @> array[{tag}]",
                    """select r.id from purchases r
                    where r.brand = coalesce({brand}, r.brand) and r.tags @> array[{tag}]""",
                    sees_notes,
                ),
            ),
            lambda tag: {"tag": tag},
        ),
        "text": text_filter(
            id_part("purchases", "t"),
            column_part("purchases", "t", "client"),
            column_part("purchases", "t", "external_reference", sees_notes),
            program_part("purchases"),
        ),
    },
    own="client",
)
