"""Purchases as the API shows them."""

from models.views.list_query import Each, Listing, Match, Part, Within
from models.views.search import name, number, program, search, sees_notes
from models.views.spans import span
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
    sight=of_client,
    brand="t.brand",
    filters={
        "payment_reference": Within("t.payment_reference = {}"),
        "wallet_id": Each("t.wallet_id", "bigint"),
        "client": Each("t.client", of_brand=True),
        "program_id": Each("t.program_id", "bigint"),
        "status": Each("t.status", "smallint", of_brand=True),
        **span("created", "purchases", "t.created_at", "t.id"),
        "tag": Match(
            (
                Part(
                    "t.tags @> array[{tag}]",
                    """select r.id from purchases r
                    where r.brand = coalesce({brand}, r.brand) and r.tags @> array[{tag}]""",
                    sees_notes,
                ),
            ),
            lambda tag: {"tag": tag},
        ),
        "text": search(
            number("purchases", "t"),
            name("purchases", "t", "client"),
            name("purchases", "t", "external_reference", sees_notes),
            program("purchases"),
        ),
    },
    own="client",
)
