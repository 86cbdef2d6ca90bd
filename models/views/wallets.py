"""Wallets, house accounts, rows of transfers, payouts."""

from models.views.list_query import IndexedFilter, Listing, NarrowFilter, OrderKey, ParentLink
from models.views.spans import time_filters
from models.views.visibility import of_brand, of_client, of_payout, of_wallet

WALLETS_OF = "select w.id from wallets w where w.brand = n.brand and w.client = {}"

WALLETS = Listing(
    columns="t.id, t.brand, t.client, t.currency, t.cash, t.reserved, t.cash - t.reserved as free, t.created_at",
    source="wallets t",
    visibility=of_client,
    brand="t.brand",
    filters={"client": IndexedFilter("t.client", of_brand=True), "currency": "t.currency = {}"},
    own="client",
)
HOUSE_ACCOUNTS = Listing(
    columns="t.id, t.brand, t.currency, t.purpose, t.balance",
    source="house_accounts t",
    visibility=of_brand,
    order=(
        OrderKey("t.brand", "brand", str),
        OrderKey("t.currency", "currency", str),
        OrderKey("t.purpose", "purpose", str),
    ),
    descending=False,
    brand="t.brand",
    filters={"currency": "t.currency = {}", "purpose": "t.purpose = any({}::text[])"},
)
TRANSFERS = Listing(
    columns="""t.id, t.transfer, t.brand, t.kind, t.money, t.wallet_id, t.account_id, h.purpose as house, t.currency,
  t.amount, t.cause, t.market_time, t.recorded_at""",
    source="transfers t left join house_accounts h on h.id = t.house_account_id",
    visibility=of_wallet,
    brand="t.brand",
    filters={
        "transfer": NarrowFilter("t.transfer = {}"),
        "account_id": IndexedFilter("t.account_id", "bigint"),
        "wallet_id": IndexedFilter("t.wallet_id", "bigint"),
        "client": IndexedFilter(
            "t.wallet_id",
            "bigint",
            values=WALLETS_OF,
            otherwise="(select w.client from wallets w where w.id = t.wallet_id) = {}",
        ),
        "house": IndexedFilter(
            "t.house_account_id",
            "bigint",
            values="select h.id from house_accounts h where h.brand = n.brand and h.purpose = any({}::text[])",
            otherwise="h.purpose = any({}::text[])",
        ),
        "kind": IndexedFilter("t.kind", of_brand=True),
        "money": "t.money = {}",
        "currency": "t.currency = {}",
        **time_filters("recorded", "transfers", "t.recorded_at", "t.id"),
    },
    own="client",
)
PAYOUTS = Listing(
    columns="""t.id, t.brand, w.client, t.challenge_id, f.phase_index, t.account_id, t.wallet_id, t.status, t.currency,
  t.profit, t.split, t.amount, t.day, t.created_at, t.decided_at, t.paid_at, t.reason,
  (select s.price from purchases s where s.fee_returned_with = t.id) as fee_returned""",
    source="""payouts t join wallets w on w.id = t.wallet_id
  left join challenge_phases f on f.id = t.phase_id""",
    visibility=of_payout,
    brand="t.brand",
    filters={
        "challenge_id": NarrowFilter("t.challenge_id = {}"),
        "account_id": NarrowFilter("t.account_id = {}"),
        "client": IndexedFilter("t.wallet_id", "bigint", values=WALLETS_OF, otherwise="w.client = {}"),
        "status": IndexedFilter("t.status", of_brand=True),
        "currency": "t.currency = {}",
        **time_filters("created", "payouts", "t.created_at", "t.id"),
    },
    own="client",
    parents={"challenge": ParentLink("t.challenge_id = p.id")},
)
