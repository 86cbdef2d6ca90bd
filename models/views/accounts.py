"""Accounts and what they made, each thing named by the ledger row that made it."""

from models.views.listing import Key, Listing, Parent
from models.views.sight import of_account

SEQ = (Key("t.seq", "seq"),)
OF_ACCOUNT = {"account": Parent("t.account_id = p.id")}

ACCOUNTS = Listing(
    columns="""a.id, a.brand, a.mode, a.status, a.read_only, a.blocked_until, a.group_name, a.currency, a.owner,
  a.clone, a.starting_balance, a.created_at, a.started_at, a.ended_at, a.challenge_id, b.cash, b.equity, b.unrealised,
  b.realised, b.fees, b.high_watermark, b.seq, encode(b.head, 'hex') as chain_head, b.marked_through, b.marked_at""",
    source="accounts a join balances b on b.account_id = a.id left join challenges c on c.id = a.challenge_id",
    sight=of_account,
    order=(Key("a.id", "id"),),
    id="a.id = any({}::bigint[])",
    filters={
        "brand": "a.brand = {}",
        "status": "a.status = any({}::text[])",
        "mode": "a.mode = any({}::text[])",
        "owner": "coalesce(c.client, a.owner) = {}",
        "clone": "a.clone = {}",
        "group": "a.group_name = {}",
    },
)
POSITIONS = Listing(
    columns="""t.account_id || '-' || t.seq as id, t.account_id, t.seq, t.symbol, t.side, t.status, t.quantity,
  t.cost_basis, t.realised, t.fees, t.opened_at, t.closed_at""",
    source="positions t",
    sight=of_account,
    order=SEQ,
    filters={"status": "t.status = any({}::text[])", "symbol": "t.symbol = {}"},
    parents=OF_ACCOUNT,
)
ORDERS = Listing(
    columns="""t.account_id || '-' || t.seq as id, t.account_id, t.seq, t.symbol, t.side, t.verb, t.quantity, t.status,
  t.reason, t.placed_at, t.batch, t.account_id || '-' || t.action_seq as action_id""",
    source="orders t",
    sight=of_account,
    order=SEQ,
    filters={"status": "t.status = any({}::text[])", "symbol": "t.symbol = {}"},
    parents=OF_ACCOUNT,
)
FILLS = Listing(
    columns="""t.account_id || '-' || t.seq as id, t.account_id, t.seq, t.account_id || '-' || t.order_seq as order_id,
  t.account_id || '-' || t.position_seq as position_id, t.symbol, t.side, t.verb, t.status, t.quantity, t.price, t.fee,
  t.rate, t.realised, t.filled_at, t.batch, t.quote_time""",
    source="fills t",
    sight=of_account,
    order=SEQ,
    filters={"symbol": "t.symbol = {}"},
    parents=OF_ACCOUNT,
)
LEDGER = Listing(
    columns="""t.account_id || '-' || t.seq as id, t.account_id, t.seq, t.kind, t.amount, t.balance_after,
  t.market_time, t.recorded_at, t.batch, t.facts, encode(t.hash, 'hex') as hash""",
    source="ledger t",
    sight=of_account,
    order=SEQ,
    filters={"kind": "t.kind = any({}::text[])"},
    parents=OF_ACCOUNT,
)
ACTIONS = Listing(
    columns="""t.account_id || '-' || t.seq as id, t.account_id, t.seq, t.run, t.action_id, t.content, t.status,
  t.refusal, t.quote, t.order_seq, t.market_time, t.batch, t.recorded_at, f.seq as fill_seq,
  f.quantity as fill_quantity, f.price as fill_price, f.fee as fill_fee, f.realised as fill_realised""",
    source="""decision_actions t join accounts a on a.id = t.account_id left join challenges c on c.id = a.challenge_id
  left join fills f on f.account_id = t.account_id and f.order_seq = t.order_seq""",
    sight=of_account,
    order=SEQ,
    filters={"name": "(t.account_id, t.seq) = ({}, {})"},
)
