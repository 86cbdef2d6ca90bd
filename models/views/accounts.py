"""Accounts and their positions, orders, fills, actions and ledger, each with the id account-seq of its ledger row."""

from dataclasses import replace

from models.views.list_query import IndexedFilter, Listing, NarrowFilter, OrderKey, ParentLink
from models.views.search import column_part, id_part, text_filter
from models.views.visibility import of_account

SEQ = (OrderKey("t.seq", "seq"),)
OF_ACCOUNT = {"account": ParentLink("t.account_id = p.id")}
SLACK = "interval '1 hour'"  # more than the times of an account's rows can decrease while their seq rises


def _during(name: str, column: str) -> dict[str, NarrowFilter]:
    """Return the filters `<name>_from` and `<name>_before`: the time, and its range of seq in the account's ledger."""
    return {
        f"{name}_from": NarrowFilter(
            f"{column} >= {{0}} and t.seq >= (select ledger_seq_at(p.id, {{0}}::timestamptz - {SLACK}))"
        ),
        f"{name}_before": NarrowFilter(
            f"{column} < {{0}} and t.seq < (select ledger_seq_at(p.id, {{0}}::timestamptz + {SLACK}))"
        ),
    }


ACCOUNTS = Listing(
    columns="""a.id, a.brand, a.mode, a.status, a.read_only, a.blocked_until, a.group_name, a.currency, a.owner,
  a.clone, a.parent_id, a.starting_balance, a.policy, a.result::text as result_text, a.created_at, a.started_at,
  a.ended_at, a.challenge_id, b.cash, b.equity, b.unrealised, b.realised, b.fees, b.high_watermark, b.seq,
  encode(b.head, 'hex') as chain_head, b.marked_through, b.marked_at""",
    source="accounts a join balances b on b.account_id = a.id",
    base="accounts a",
    visibility=of_account,
    brand="a.brand",
    order=(OrderKey("a.id", "id"),),
    id="a.id = any({}::bigint[])",
    filters={
        "challenge_id": NarrowFilter("a.challenge_id = {}"),
        "owner": IndexedFilter("a.owner", of_brand=True),
        "parent_id": IndexedFilter("a.parent_id", "bigint"),
        "clone": IndexedFilter("a.clone", of_brand=True),
        "group": IndexedFilter("a.group_name", of_brand=True),
        "status": IndexedFilter("a.status", of_brand=True),
        "mode": IndexedFilter("a.mode", of_brand=True),
        "text": text_filter(
            id_part("accounts", "a"),
            *(column_part("accounts", "a", column) for column in ("owner", "clone", "group_name")),
        ),
    },
    parents={"parent": ParentLink("a.parent_id = p.id", implied=False)},
    own="owner",
    scope=(
        IndexedFilter("a.owner", of_brand=True),
        IndexedFilter("a.clone", of_brand=True),
        NarrowFilter("a.challenge_id = any({}::bigint[])"),
        NarrowFilter("a.id = any({}::bigint[])"),
    ),
)
POSITIONS = Listing(
    columns="""t.account_id || '-' || t.seq as id, t.account_id, t.seq, t.symbol, t.side, t.status, t.quantity,
  t.cost_basis, t.realised, t.fees, t.opened_at, t.closed_at""",
    source="positions t",
    visibility=of_account,
    order=SEQ,
    filters={
        "status": IndexedFilter("t.status"),
        "symbol": NarrowFilter("t.symbol = {}"),
        "side": "t.side = {}",
        **_during("opened", "t.opened_at"),
    },
    parents=OF_ACCOUNT,
)
ORDERS = Listing(
    columns="""t.account_id || '-' || t.seq as id, t.account_id, t.seq, t.symbol, t.side, t.verb, t.quantity, t.status,
  t.reason, t.placed_at, t.batch, t.account_id || '-' || t.action_seq as action_id, t.type, t.price, t.stop_loss,
  t.take_profit, t.ended_at, t.outcome, t.account_id || '-' || t.origin as origin_id""",
    source="orders t",
    visibility=of_account,
    order=SEQ,
    filters={
        "status": IndexedFilter("t.status"),
        "symbol": NarrowFilter("t.symbol = {}"),
        "side": "t.side = {}",
        "verb": "t.verb = any({}::text[])",
        "type": "t.type = any({}::text[])",
        "version_of": NarrowFilter("(t.seq = {} or t.origin = {})"),
        "before": NarrowFilter("t.seq < {}"),
        **_during("placed", "t.placed_at"),
    },
    parents=OF_ACCOUNT,
)
# Orders by id, for a caller that has not read their account.
ORDERS_NAMED = replace(
    ORDERS,
    source="orders t join accounts a on a.id = t.account_id",
    id="""(t.account_id, t.seq) in (
  select split_part(n, '-', 1)::bigint, split_part(n, '-', 2)::bigint from unnest({}::text[]) n)""",
)
FILLS = Listing(
    columns="""t.account_id || '-' || t.seq as id, t.account_id, t.seq, t.account_id || '-' || t.order_seq as order_id,
  t.account_id || '-' || t.position_seq as position_id, t.symbol, t.side, t.verb, t.status, t.quantity, t.price, t.fee,
  t.rate, t.realised, t.filled_at, t.batch, t.quote_time, t.rate_time,
  t.rate_pairs as rate_names, t.rate_stale""",
    source="fills t",
    visibility=of_account,
    order=SEQ,
    filters={
        "status": "t.status = any({}::text[])",
        "symbol": NarrowFilter("t.symbol = {}"),
        "side": "t.side = {}",
        "verb": "t.verb = any({}::text[])",
        **_during("filled", "t.filled_at"),
    },
    parents=OF_ACCOUNT,
)
LEDGER = Listing(
    columns="""t.account_id || '-' || t.seq as id, t.account_id, t.seq, t.kind, t.amount, t.balance_after,
  t.market_time, t.recorded_at, t.batch, t.facts, encode(t.hash, 'hex') as hash""",
    source="ledger t",
    visibility=of_account,
    order=SEQ,
    filters={"kind": IndexedFilter("t.kind"), **_during("market_time", "t.market_time")},
    parents=OF_ACCOUNT,
)
ACTIONS = Listing(
    columns="""t.account_id || '-' || t.seq as id, t.account_id, t.seq, t.run, t.action_id, t.content, t.status,
  t.refusal, t.quote, t.order_seq, t.market_time, t.batch, t.recorded_at, f.seq as fill_seq,
  f.quantity as fill_quantity, f.price as fill_price, f.fee as fill_fee, f.realised as fill_realised,
  f.rate as fill_rate, f.rate_pairs as fill_rate_pairs, f.rate_time as fill_rate_time, f.rate_stale as fill_rate_stale,
  f.filled_at as fill_filled_at,
  o.symbol as order_symbol, o.side as order_side, o.verb as order_verb, o.quantity as order_quantity,
  o.status as order_status, o.reason as order_reason, o.placed_at as order_placed_at, o.batch as order_batch,
  o.type as order_type, o.price as order_price, o.stop_loss as order_stop_loss, o.take_profit as order_take_profit,
  o.ended_at as order_ended_at, o.outcome as order_outcome, o.origin as order_origin""",
    source="""decision_actions t join accounts a on a.id = t.account_id
  left join orders o on o.account_id = t.account_id and o.seq = t.order_seq
  left join fills f on f.account_id = t.account_id and f.order_seq = t.order_seq""",
    visibility=of_account,
    order=SEQ,
    filters={
        "name": NarrowFilter("(t.account_id, t.seq) = ({}, {})"),
        "run_id": "t.run = {}",
        "action_id": "t.action_id = {}",
        "status": IndexedFilter("t.status"),
        "symbol": "t.content ->> 'symbol' = {}",
        "code": "t.refusal ->> 'code' = {}",
        **_during("market_time", "t.market_time"),
    },
    parents=OF_ACCOUNT,
    unique=frozenset({"run_id", "action_id"}),
)
