"""Bulk load of a shard: what a marker needs at its start, as columns."""

from dataclasses import fields

import asyncpg
import numpy as np

from domain.columnar.account_rows import ALWAYS, NEVER
from domain.columnar.bulk_load import StoredAccounts, StoredPositions, StoredShard, TermsGroup
from domain.columnar.fixed_point import Flags
from domain.lifecycles import ChallengeStatus
from domain.terms import Policy, policy_from_text, terms_from_text
from models.columnar import binary_copy
from models.sql import Connection

TOO_LARGE = 2**62
"""The stand-in for an amount that a bigint of 1e-8 units cannot hold."""


def _units(amount: str) -> str:
    return f"least(greatest({amount} * 100000000, -{TOO_LARGE}), {TOO_LARGE})::bigint"


def _time(moment: str, none: int) -> str:
    return f"coalesce((extract(epoch from {moment}) * 1000000)::bigint, '{none}')"


LIVE = """
from balances b
join accounts a on a.id = b.account_id
left join challenge_phases p on p.account_id = a.id and p.started_at is not null
left join challenges c on c.id = a.challenge_id
where b.live and a.id % $1 = $2
"""
GROUPS = f"""
select a.currency, a.policy, p.status, p.phase_index, c.terms_hash,
  row_number() over (order by a.currency, a.policy, p.status, p.phase_index, c.terms_hash) - 1 as place
{LIVE} group by a.currency, a.policy, p.status, p.phase_index, c.terms_hash
"""
AMOUNTS = {
    "cash": "b.cash",
    "starting_balance": "a.starting_balance",
    "unrealised": "b.unrealised",
    "high_watermark": "b.high_watermark",
}
PHASE_AMOUNTS = {
    "initial_balance": "p.initial_balance",
    "day_start_balance": "b.day_start_balance",
    "day_start_equity": "b.day_start_equity",
    "peak_equity": "b.peak_equity",
    "peak_balance": "b.peak_balance",
    "peak_end_of_day": "b.peak_end_of_day",
    "day_low": "b.day_low",
    "day_high": "b.day_high",
}
RUNS = f"p.status = {ChallengeStatus.ACTIVE.value}"
ACCOUNT = {
    **{name: _units(amount) for name, amount in AMOUNTS.items()},
    **{name: f"case when {RUNS} then {_units(amount)} else 0 end" for name, amount in PHASE_AMOUNTS.items()},
    "id": "a.id",
    "seq": "b.seq",
    "through": "b.marked_through",
    "marked_at": _time("b.marked_at", ALWAYS),
    "ledger_due_at": _time("b.ledger_due_at", ALWAYS),
    "group": "g.place",
    "phase_id": f"case when {RUNS} then p.id else 0 end",
    "challenge_id": "coalesce(a.challenge_id, 0)",
    "day_ends_at": _time("b.day_ends_at", NEVER),
    "metric_due_at": _time("b.metric_due_at", NEVER),
}
ACCOUNT_NAMES = [field.name for field in fields(StoredAccounts) if field.type != Flags]
ACCOUNTS = f"""
with g as materialized ({GROUPS})
select {", ".join(f'{ACCOUNT[name]} as "{name}"' for name in ACCOUNT_NAMES)},
  b.day_findings <> '{{}}' or b.day_withdrawn <> 0
    or exists (select from orders o where o.account_id = a.id and o.status = 'WORKING') as needs_single_load, b.head
{
    LIVE.replace(
        "where",
        '''join g on g.currency = a.currency and g.policy = a.policy and g.status is not distinct from p.status
  and g.phase_index is not distinct from p.phase_index and g.terms_hash is not distinct from c.terms_hash
where''',
    )
} order by a.id
"""
POSITIONS = f"""
with s as materialized (select symbol, row_number() over (order by symbol) - 1 as place from instruments)
select o.account_id as account, s.place as symbol, o.side = 'SHORT' as short, {_units("o.quantity")} as quantity,
  {_units("trunc(o.cost_basis, 8)")} as cost, ((o.cost_basis - trunc(o.cost_basis, 8)) * 1e18)::bigint as cost_rest,
  o.side not in ('LONG', 'SHORT') as unknown
from positions o join balances b on b.account_id = o.account_id join s on s.symbol = o.symbol
where o.status = 'OPEN' and b.live and o.account_id % $1 = $2 order by o.account_id
"""
BODIES = "select hash, body from terms where hash = any($1::text[])"


async def load_shard(conn: Connection, shards: int, shard: int) -> StoredShard:
    """Read the live accounts of a shard with their open positions. The caller has opened a snapshot."""
    groups = await conn.fetch(GROUPS, shards, shard)
    bodies = dict(await conn.fetch(BODIES, [row["terms_hash"] for row in groups if row["terms_hash"]]))
    kinds = [(name, ">i8") for name in ACCOUNT_NAMES] + [("needs_single_load", "?"), ("head", "V32")]
    accounts = await binary_copy.copy_out(conn, ACCOUNTS, kinds, shards, shard)
    heads = accounts.pop("head")
    kinds = [(f.name, "?" if f.type == Flags else ">i8") for f in fields(StoredPositions)] + [("unknown", "?")]
    positions = await binary_copy.copy_out(conn, POSITIONS, kinds, shards, shard)
    read = [_group(row, bodies) for row in groups]
    unread = [n for n, group in enumerate(read) if group is None]
    # Accounts with unreadable terms or positions are loaded singly later, so that a failure concerns one account.
    accounts["needs_single_load"] |= np.isin(accounts["group"], unread)
    accounts["needs_single_load"] |= np.isin(accounts["id"], positions["account"][positions.pop("unknown")])
    symbols = await conn.fetch("select symbol from instruments order by symbol")
    return StoredShard(
        StoredAccounts(**accounts),
        np.frombuffer(heads.tobytes(), np.uint8).reshape(-1, 32),
        StoredPositions(**positions),
        [group or TermsGroup(row["currency"], Policy(), None, None) for group, row in zip(read, groups, strict=True)],
        [row["symbol"] for row in symbols],
    )


def _group(row: asyncpg.Record, bodies: dict[str, str]) -> TermsGroup | None:
    """Return currency, policy and phase that the accounts of a group share; None if they cannot be read."""
    try:
        status = None if row["status"] is None else ChallengeStatus(row["status"])
        body = bodies.get(row["terms_hash"])
        terms = terms_from_text(body).phase(row["phase_index"]) if body and row["phase_index"] else None
        return TermsGroup(row["currency"], policy_from_text(row["policy"]), status, terms)
    except Exception:  # noqa: BLE001 - one unreadable group must not stop the others
        return None
