"""The cost of reading an account next to a long history, of other accounts and of its own."""

import time
from collections.abc import Awaitable, Callable, Iterable
from statistics import median
from typing import Any

from config.database import connection
from services import decision_context, snapshots
from services.views import lists

WARM = 10  # reads before those that count
PAGE = lists.PageRequest(50)
PAGES = {
    "ledger": lists.LEDGER,
    "orders": lists.ORDERS,
    "fills": lists.FILLS,
    "positions": lists.POSITIONS,
    "actions": lists.ACTIONS,
}

FIRST = 100_000_000  # seq of a made-up history's first row, beyond what any account has written by trading

# Each pair of actions opens and closes a position; four ledger rows an action, as one really writes.
_SERIES = """
insert into {table} ({columns})
select {values}
from unnest($1::bigint[]) as a (id) cross join generate_series(0, $2::bigint - 1) as i
cross join lateral (
  select {first} + i * 4 as seq, {first} + i / 2 * 8 + 3 as position, i % 2 = 0 as opens,
    now() - ($2 - i) * interval '1 second' as at) n {more}
"""
HISTORY = (
    _SERIES.format(
        first=FIRST,
        table="ledger",
        columns="account_id, seq, kind, amount, balance_after, market_time, batch, facts, hash",
        values="""a.id, n.seq + k, (array['action_accepted', 'order_placed', 'fill', 'position_changed'])[k + 1], 0,
    100000, n.at, 1, '{"run": "history", "symbol": "S0000USD", "quantity": "1000", "price": "1.1"}',
    decode(repeat('00', 32), 'hex')""",
        more="cross join generate_series(0, 3) as k",
    ),
    _SERIES.format(
        first=FIRST,
        table="decision_actions",
        columns="account_id, seq, run, action_id, content, status, quote, order_seq, market_time, batch",
        values="""a.id, n.seq, 'history', 'h' || i, jsonb_build_object('action', 'OPEN', 'symbol', 'S0000USD',
    'side', 'LONG', 'quantity', '1000'), 'EXECUTED', '{}', n.seq + 1, n.at, 1""",
        more="",
    ),
    _SERIES.format(
        first=FIRST,
        table="orders",
        columns="""account_id, seq, action_seq, symbol, side, verb, quantity, status, reason, placed_at, batch, type,
    ended_at, outcome""",
        values="""a.id, n.seq + 1, n.seq, 'S0000USD', 'LONG', case when n.opens then 'OPEN' else 'CLOSE' end, 1000,
    'FILLED', 'ACTION', n.at, 1, 'MARKET', n.at, '{}'""",
        more="",
    ),
    _SERIES.format(
        first=FIRST,
        table="fills",
        columns="""account_id, seq, order_seq, position_seq, symbol, side, verb, quantity, price, fee, rate, realised,
    filled_at, batch, quote_time""",
        values="""a.id, n.seq + 2, n.seq + 1, n.position, 'S0000USD', 'LONG',
    case when n.opens then 'OPEN' else 'CLOSE' end, 1000, 1.1, 1, 1, 0, n.at, 1, n.at""",
        more="",
    ),
    _SERIES.format(
        first=FIRST,
        table="positions",
        columns="account_id, seq, symbol, side, status, quantity, cost_basis, opened_at, closed_at",
        values="a.id, n.position, 'S0000USD', 'LONG', 'CLOSED', 0, 0, n.at, n.at",
        more="where n.opens",
    ),
)
ROWS_AN_ACTION = 4


async def fill(url: str, histories: Iterable[tuple[list[int], int]]) -> None:
    """Give accounts histories of so many ledger rows altogether, with all that belongs to them."""
    async with connection(url) as conn:
        await conn.execute("set session_replication_role = replica")  # the history is made up; nothing checks it
        for accounts, rows in histories:
            many = max(rows // len(accounts) // ROWS_AN_ACTION, 2)
            for statement in HISTORY:
                await conn.execute(statement, accounts, many)
            await conn.execute("update balances set seq = $2 where account_id = any($1)", accounts, FIRST + many * 4)
        for table in (*PAGES, "balances"):  # at once, as otherwise it is done beside the reads
            await conn.execute(f"vacuum analyze {'decision_actions' if table == 'actions' else table}")
        await conn.execute("checkpoint")


async def take(account: int, times: int) -> dict[str, float]:
    """Seconds that each read of the account takes, the median of many."""
    reads: dict[str, Callable[[], Awaitable[Any]]] = {
        "snapshot": lambda: snapshots.account_snapshots([account]),
        "decision context": lambda: decision_context.account_context(account),
    }
    for name, listing in PAGES.items():
        reads[f"{name} page"] = lambda listing=listing: lists.nested_pages(listing, "account", [account], (), PAGE)  # type: ignore[misc]
    return {name: await _taken(read, times) for name, read in reads.items()}


async def _taken(read: Callable[[], Awaitable[Any]], times: int) -> float:
    took = []
    for _ in range(WARM + times):
        began = time.perf_counter()
        await read()
        took.append(time.perf_counter() - began)
    return median(took[WARM:])
