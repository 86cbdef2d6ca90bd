"""Accounts with balances, positions, orders and running phase: loaded, locked, inserted and ended."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

import asyncpg

from domain.accounts import Account, Mode, PhaseRun
from domain.ledger import GENESIS
from domain.lifecycles import AccountStatus, ChallengeStatus, OrderStatus
from domain.orders import Order, OrderType, Verb
from domain.positions import Position, Side
from domain.refusals import Refusals
from domain.terms import Terms, policy_from_text
from models import terms
from models.loaded import LoadedAccount, LoadResult, UnreadableAccount
from models.locks import AdvisoryLock
from models.quotes import NOW, Clocks
from models.sql import Connection

SELECT = """
select a.id, a.brand, a.currency, a.mode, a.status, a.policy, a.starting_balance, a.read_only, a.blocked_until,
  a.challenge_id, b.cash, b.realised, b.fees, b.unrealised, b.high_watermark, b.seq, b.head, b.marked_through,
  b.marked_at, b.ledger_due_at, b.day, b.day_date, b.day_ends_at, b.day_start_balance, b.day_start_equity, b.day_low,
  b.day_high, b.peak_equity, b.peak_balance, b.peak_end_of_day, b.day_traded, b.days_traded, b.days_profitable,
  b.best_day_profit, b.last_fill_day, b.day_withdrawn, b.day_findings, b.metric_due_at, a.locked_from,
  b.refusals_end_at, b.refusals_since, b.refusals_stored, b.refusals_beyond,
  p.id as phase_id, p.phase_index, p.status as phase_status, p.initial_balance as phase_initial,
  p.started_at as phase_started_at, c.terms_hash,
  array(
    select (h.seq, h.symbol, h.side, h.opened_at, h.quantity::numeric, h.cost_basis::numeric, h.realised::numeric,
      h.fees::numeric, h.realised_rest::numeric, h.fees_rest::numeric, h.whole_quantity::numeric,
      h.whole_cost::numeric)
    from positions h where h.account_id = a.id and h.status = 'OPEN' order by h.seq) as holdings,
  array(
    select (o.seq, o.symbol, o.side, o.verb, o.quantity::numeric, o.reason, o.placed_at, o.batch, o.action_seq, o.type,
      o.price::numeric, o.stop_loss::numeric, o.take_profit::numeric, o.origin)
    from orders o where o.account_id = a.id and o.status = 'WORKING' order by o.seq) as resting
"""
JOINS = """
from accounts a
join balances b on b.account_id = a.id
left join challenge_phases p on p.account_id = a.id
left join challenges c on c.id = a.challenge_id
"""
BY_ID = f"{SELECT} {JOINS} where a.id = any($1::bigint[]) order by a.id"
LOCKED = f"{BY_ID} for no key update of a, b"
# A transaction that locks a lock root may trade, so it shares this lock; to retire an instrument takes it exclusively.
# The condition is always true. PostgreSQL evaluates it before it locks the first row, so that a transaction that waits
# for this lock holds no lock root.
MAY_TRADE = f"(select pg_advisory_xact_lock_shared({AdvisoryLock.TRADING.value})) is not null"
LOCK_CHALLENGES = f"""
select id from challenges where id = any($1::bigint[]) and {MAY_TRADE} order by id for no key update
"""
LOCK_ALONE = f"""
select id from accounts where id = any($1::bigint[]) and challenge_id is null and {MAY_TRADE}
order by id for no key update
"""
CLOCKS = ("desk_mode", "real_time", "catalogue_version", "batch_number", "batch_time")
# The accounts of a challenge that can still change: the current one, pending ones, and those that are marked. The
# action keys are in sub-selects because the planner does not see the length of those: it keeps one plan, and planning
# takes longer than execution.
OF_ROOTS = f"""{SELECT}, n.*,
  exists (
    select from unnest((select $3::bigint[]), (select $4::text[]), (select $5::text[])) as k (account_id, run, id)
    cross join lateral (
      select from decision_actions d
      where d.account_id = a.id and d.run = k.run and d.action_id = k.id limit 1) d
    where k.account_id = a.id) as has_stored_answer
{JOINS} cross join ({NOW}) as n ({", ".join(CLOCKS)})
where a.id = any(array(select id from accounts where challenge_id = any($1::bigint[])) || $2::bigint[])
  and (a.challenge_id is null or b.live or a.id = c.account_id or a.status = 'PENDING')
order by a.id for no key update of a, b
"""


ActionKey: TypeAlias = tuple[int, str, str]
"""Account, run and id of an action that is to be submitted."""


def _phase(row: asyncpg.Record) -> PhaseRun | None:
    if row["phase_started_at"] is None:
        return None
    return PhaseRun(
        id=row["phase_id"],
        challenge_id=row["challenge_id"],
        index=row["phase_index"],
        status=ChallengeStatus(row["phase_status"]),
        initial_balance=row["phase_initial"],
        started_at=row["phase_started_at"],
        day=row["day"],
        day_date=row["day_date"],
        day_ends_at=row["day_ends_at"],
        day_start_balance=row["day_start_balance"],
        day_start_equity=row["day_start_equity"],
        day_low=row["day_low"],
        day_high=row["day_high"],
        peak_equity=row["peak_equity"],
        peak_balance=row["peak_balance"],
        peak_end_of_day=row["peak_end_of_day"],
        day_traded=row["day_traded"],
        days_traded=row["days_traded"],
        days_profitable=row["days_profitable"],
        best_day_profit=row["best_day_profit"],
        last_fill_day=row["last_fill_day"],
        day_withdrawn=row["day_withdrawn"],
        day_findings=frozenset(row["day_findings"]),
        metric_due_at=row["metric_due_at"],
    )


def _account(row: asyncpg.Record) -> Account:
    positions = [_position(*holding) for holding in row["holdings"]]
    return Account(
        id=row["id"],
        brand=row["brand"],
        currency=row["currency"],
        mode=Mode(row["mode"]),
        status=AccountStatus(row["status"]),
        policy=policy_from_text(row["policy"]),
        starting_balance=row["starting_balance"],
        read_only=row["read_only"],
        blocked_until=row["blocked_until"],
        locked_from=AccountStatus(row["locked_from"]) if row["locked_from"] else None,
        cash=row["cash"],
        realised=row["realised"],
        fees=row["fees"],
        unrealised=row["unrealised"],
        high_watermark=row["high_watermark"],
        seq=row["seq"],
        head=row["head"],
        marked_through=row["marked_through"],
        marked_at=row["marked_at"],
        ledger_due_at=row["ledger_due_at"],
        positions={(position.symbol, position.side): position for position in positions},
        orders={order[0]: _order(row["id"], *order) for order in row["resting"]},
        phase=_phase(row),
        refusals=_refusals(row),
    )


def _refusals(row: asyncpg.Record) -> Refusals | None:
    if row["refusals_end_at"] is None:
        return None
    return Refusals(*(row[f"refusals_{name}"] for name in ("end_at", "since", "stored", "beyond")))


def _position(
    seq: int,
    symbol: str,
    side: str,
    opened_at: datetime,
    quantity: Decimal,
    cost_basis: Decimal,
    realised: Decimal,
    fees: Decimal,
    realised_rest: Decimal,
    fees_rest: Decimal,
    whole_quantity: Decimal | None,
    whole_cost: Decimal | None,
) -> Position:
    return Position(
        seq, symbol, Side(side), opened_at, quantity, cost_basis, realised, fees, None, realised_rest, fees_rest,
        whole_quantity, whole_cost,
    )  # fmt: skip


def _order(
    account: int,
    seq: int,
    symbol: str,
    side: str,
    verb: str,
    quantity: Decimal,
    reason: str,
    placed_at: datetime,
    batch: int,
    action_seq: int | None,
    kind: str,
    price: Decimal | None,
    stop_loss: Decimal | None,
    take_profit: Decimal | None,
    origin: int | None,
) -> Order:
    return Order(
        account, seq, symbol, Side(side), Verb(verb), quantity, OrderStatus.WORKING, reason, placed_at, batch,
        action_seq, OrderType(kind), price, stop_loss, take_profit, origin=origin,
    )  # fmt: skip


def _loaded(row: asyncpg.Record, terms_by_hash: Mapping[str, Terms | Exception]) -> LoadedAccount:
    digest = row["terms_hash"]
    sold = None if digest is None else terms_by_hash[digest]
    if isinstance(sold, Exception):
        raise sold
    if sold is not None and row["phase_index"] is not None:
        sold.phase(row["phase_index"])
    return LoadedAccount(
        account=_account(row),
        challenge_id=row["challenge_id"],
        terms=sold,
        phase_id=row["phase_id"],
        phase_index=row["phase_index"],
        has_stored_answer=row.get("has_stored_answer", False),
    )


async def _read(conn: Connection, rows: Sequence[asyncpg.Record]) -> LoadResult:
    terms_by_hash = await terms.try_read_terms(conn, {row["terms_hash"] for row in rows} - {None})
    loaded, unreadable = [], []
    for row in rows:
        try:
            loaded.append(_loaded(row, terms_by_hash))
        except Exception as error:  # noqa: BLE001 - one unreadable account must not stop the others
            unreadable.append(UnreadableAccount.of(row, error))
    return LoadResult(loaded, unreadable)


async def load_accounts(conn: Connection, ids: Sequence[int], *, locked: bool = False) -> LoadResult:
    """Read accounts in order of id; with `locked`, lock their rows until the transaction ends."""
    return await _read(conn, await conn.fetch(LOCKED if locked else BY_ID, ids))


async def lock_roots(
    conn: Connection, challenges: Sequence[int], accounts: Sequence[int], *, free: bool = False
) -> tuple[list[int], list[int]]:
    """Lock challenges, then accounts without a challenge, each in order of id; return the ids of those that exist.

    With `free`, skip rows that another transaction has locked.
    """
    end = " skip locked" if free else ""
    locked = await conn.fetch(LOCK_CHALLENGES + end, challenges) if challenges else []
    alone = await conn.fetch(LOCK_ALONE + end, accounts) if accounts else []
    return [row["id"] for row in locked], [row["id"] for row in alone]


async def lock_accounts_of_roots(
    conn: Connection, challenges: Sequence[int], accounts: Sequence[int], actions: Sequence[ActionKey]
) -> tuple[LoadResult, Clocks | None]:
    """Lock and return the accounts of locked roots, in order of id, and the clocks; no clocks without accounts.

    This is a second statement after the one that locks the roots, so that its snapshot includes everything that was
    committed before the roots were locked. `actions`: those that are to be submitted.
    """
    columns = zip(*actions, strict=True) if actions else ((), (), ())
    rows = await conn.fetch(OF_ROOTS, challenges, accounts, *columns)
    return await _read(conn, rows), Clocks(*(rows[0][name] for name in CLOCKS)) if rows else None


async def root_of(conn: Connection, account_id: int) -> asyncpg.Record | None:
    """Return brand, account_id, challenge_id, client (of the challenge), owner and clone of an account."""
    return await conn.fetchrow(
        """select a.brand, a.id as account_id, a.challenge_id, c.client, a.owner, a.clone
        from accounts a left join challenges c on c.id = a.challenge_id where a.id = $1""",
        account_id,
    )


async def insert_account(
    conn: Connection,
    *,
    brand: str,
    challenge_id: int | None,
    group_name: str,
    mode: Mode,
    owner: str | None,
    currency: str,
    policy: str,
    starting_balance: Decimal,
    marked_through: int,
    at: datetime,
    clone: str | None = None,
    parent_id: int | None = None,
) -> int:
    """Insert a PENDING account with empty balances and return its id."""
    account_id: int = await conn.fetchval(
        """insert into accounts (brand, challenge_id, group_name, mode, owner, currency, policy, starting_balance,
          created_at, clone, parent_id) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning id""",
        brand,
        challenge_id,
        group_name,
        mode.value,
        owner,
        currency,
        policy,
        starting_balance,
        at,
        clone,
        parent_id,
    )
    await conn.execute(
        "insert into balances (account_id, head, marked_through, marked_at) values ($1, $2, $3, $4)",
        account_id,
        GENESIS,
        marked_through,
        at,
    )
    return account_id


async def mark_started(conn: Connection, account_id: int, at: datetime) -> None:
    await conn.execute("update accounts set started_at = $2 where id = $1", account_id, at)


async def trading_history(conn: Connection, account_id: int) -> asyncpg.Record:
    """Return `started_at`, the number of booked `fills`, and the sum `adjusted` of adjustments that count as profit."""
    row = await conn.fetchrow(
        """select a.started_at,
          (select count(*) from fills f where f.account_id = a.id and f.status = 'BOOKED') as fills,
          (select coalesce(sum(l.amount), 0) from transfers t
            join ledger l on l.account_id = t.account_id and l.seq = t.account_seq
            where t.account_id = a.id and t.kind = 'ADJUSTMENT' and l.facts -> 'counts_as_profit' = 'true') as adjusted
        from accounts a where a.id = $1""",
        account_id,
    )
    assert row, "the caller has locked the account"
    return row


async def mark_ended(conn: Connection, account_id: int, at: datetime, result: str) -> None:
    """Write the end of an account: its time and the final snapshot, as JSON text."""
    await conn.execute("update accounts set ended_at = $2, result = $3 where id = $1", account_id, at, result)
