"""Real money: wallets, the rows of transfers, payouts."""

from models.views.listing import Key, Listing, Parent
from models.views.sight import of_brand, of_client, of_payout, of_wallet

WALLETS = Listing(
    columns="t.id, t.brand, t.client, t.currency, t.cash, t.reserved, t.cash - t.reserved as free, t.created_at",
    source="wallets t",
    sight=of_client,
    filters={"brand": "t.brand = {}", "client": "t.client = {}", "currency": "t.currency = {}"},
)
HOUSE_ACCOUNTS = Listing(
    columns="t.id, t.brand, t.currency, t.purpose, t.balance",
    source="house_accounts t",
    sight=of_brand,
    order=(Key("t.brand", "brand", str), Key("t.currency", "currency", str), Key("t.purpose", "purpose", str)),
    descending=False,
    filters={"brand": "t.brand = {}", "currency": "t.currency = {}", "purpose": "t.purpose = any({}::text[])"},
)
TRANSFERS = Listing(
    columns="""t.id, t.transfer, t.brand, t.kind, t.money, t.wallet_id, t.account_id, h.purpose as house, t.currency,
  t.amount, t.cause, t.market_time, t.recorded_at""",
    source="transfers t left join house_accounts h on h.id = t.house_account_id",
    sight=of_wallet,
    filters={
        "brand": "t.brand = {}",
        "kind": "t.kind = any({}::text[])",
        "money": "t.money = {}",
        "currency": "t.currency = {}",
        "client": "exists (select from wallets w where w.id = t.wallet_id and w.client = {})",
        "house": "h.purpose = any({}::text[])",
        "recorded_from": "t.recorded_at >= {}",
        "recorded_before": "t.recorded_at < {}",
        "wallet_id": "t.wallet_id = {}",
        "account_id": "t.account_id = {}",
        "transfer": "t.transfer = {}",
    },
)
PAYOUTS = Listing(
    columns="""t.id, t.brand, w.client, t.challenge_id, f.phase_index, t.account_id, t.wallet_id, t.status, t.currency,
  t.profit, t.split, t.amount, t.day, t.created_at, t.decided_at, t.paid_at, t.reason,
  (select s.price from purchases s where s.fee_returned_with = t.id) as fee_returned""",
    source="""payouts t join wallets w on w.id = t.wallet_id
  left join challenge_phases f on f.id = t.phase_id""",
    sight=of_payout,
    filters={
        "brand": "t.brand = {}",
        "status": "t.status = any({}::text[])",
        "challenge_id": "t.challenge_id = {}",
        "account_id": "t.account_id = {}",
        "client": "w.client = {}",
        "currency": "t.currency = {}",
        "created_from": "t.created_at >= {}",
        "created_before": "t.created_at < {}",
    },
    parents={"challenge": Parent("t.challenge_id = p.id")},
)
