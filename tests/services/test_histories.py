"""An account's histories: filtered, in both orders, page by page, at a cost that what is left out does not raise."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import product
from typing import Any, cast

from config.database import connection
from models.sql import Connection
from models.views import list_pages as views
from models.views.list_query import Filters, Row
from services.unit_of_work.reads import read_connection
from services.views import lists
from services.views.lists import ACTIONS, FILLS, LEDGER, ORDERS, POSITIONS, Listing, PageRequest
from tests.services.world import START, World, a_world, act, settle

DAY_2 = START + timedelta(days=1)


async def a_history(url: str) -> tuple[World, int]:
    """An account that has done a bit of everything, on two days and in two instruments."""
    world = await a_world(url, symbols=2)
    _, account = await world.buy()
    for day in (1, 2):
        await act(account, "OPEN", action_id=f"{day}a", quantity="2000", stop_loss="1.05000", run=f"r{day}")
        await act(account, "OPEN", action_id=f"{day}b", quantity="1000", side="SHORT", run=f"r{day}")
        await act(account, "OPEN", action_id=f"{day}c", symbol="XX01USD", quantity="3000", run=f"r{day}")
        await act(account, "OPEN", action_id=f"{day}d", symbol="XX01USD", side="SHORT", quantity="1000",
                  order="LIMIT", price="1.20000", run=f"r{day}")  # fmt: skip
        await act(account, "HOLD", action_id=f"{day}e", quantity="1", run=f"r{day}")
        await act(account, "REDUCE", action_id=f"{day}f", fraction="0.5", run=f"r{day}")
        await act(account, "CLOSE", action_id=f"{day}g", run=f"r{day}")
        await world.quote("1.10010", after=timedelta(hours=23, minutes=59))
        await world.quote("1.10020", symbol="XX01USD")
    await settle()
    return world, account


async def read(of: Listing, account: int, filters: Filters = (), *, first: int = 3, reverse: bool = False) -> list[Row]:
    """Every row, page by page."""
    found: list[Row] = []
    after = None
    while True:
        page = (await lists.nested_pages(of, "account", [account], filters, PageRequest(first, after, reverse)))[
            account
        ]
        found += page.rows
        if not page.more:
            return found
        after = tuple(page.rows[-1][key.name] for key in of.order)


Case = tuple[Listing, str, Any, Callable[[Row], bool]]
CASES: Sequence[Case] = [
    (LEDGER, "kind", ("fill", "account_created", "fill"), lambda row: row["kind"] in ("fill", "account_created")),
    (LEDGER, "kind", (), lambda row: False),
    (LEDGER, "market_time_from", DAY_2, lambda row: row["market_time"] >= DAY_2),
    (LEDGER, "market_time_before", DAY_2, lambda row: row["market_time"] < DAY_2),
    (ORDERS, "status", ("WORKING", "CANCELLED"), lambda row: row["status"] in ("WORKING", "CANCELLED")),
    (ORDERS, "symbol", "XX01USD", lambda row: row["symbol"] == "XX01USD"),
    (ORDERS, "side", "SHORT", lambda row: row["side"] == "SHORT"),
    (ORDERS, "verb", ("REDUCE", "CLOSE"), lambda row: row["verb"] in ("REDUCE", "CLOSE")),
    (ORDERS, "type", ("LIMIT",), lambda row: row["type"] == "LIMIT"),
    (ORDERS, "placed_from", DAY_2, lambda row: row["placed_at"] >= DAY_2),
    (ORDERS, "placed_before", DAY_2, lambda row: row["placed_at"] < DAY_2),
    (FILLS, "symbol", "EURUSD", lambda row: row["symbol"] == "EURUSD"),
    (FILLS, "side", "LONG", lambda row: row["side"] == "LONG"),
    (FILLS, "verb", ("OPEN",), lambda row: row["verb"] == "OPEN"),
    (FILLS, "status", ("VOID",), lambda row: row["status"] == "VOID"),
    (FILLS, "filled_from", DAY_2, lambda row: row["filled_at"] >= DAY_2),
    (FILLS, "filled_before", DAY_2, lambda row: row["filled_at"] < DAY_2),
    (POSITIONS, "status", ("OPEN",), lambda row: row["status"] == "OPEN"),
    (POSITIONS, "symbol", "EURUSD", lambda row: row["symbol"] == "EURUSD"),
    (POSITIONS, "side", "LONG", lambda row: row["side"] == "LONG"),
    (POSITIONS, "opened_from", DAY_2, lambda row: row["opened_at"] >= DAY_2),
    (POSITIONS, "opened_before", DAY_2, lambda row: row["opened_at"] < DAY_2),
    (ACTIONS, "run_id", "r2", lambda row: row["run"] == "r2"),
    (ACTIONS, "action_id", "1e", lambda row: row["action_id"] == "1e"),
    (ACTIONS, "status", ("REJECTED", "WORKING"), lambda row: row["status"] != "EXECUTED"),
    (ACTIONS, "symbol", "XX01USD", lambda row: json.loads(row["content"])["symbol"] == "XX01USD"),
    (ACTIONS, "code", "UNSUPPORTED_ACTION", lambda row: "UNSUPPORTED_ACTION" in (row["refusal"] or "")),
    (ACTIONS, "market_time_from", DAY_2, lambda row: row["market_time"] >= DAY_2),
    (ACTIONS, "market_time_before", DAY_2, lambda row: row["market_time"] < DAY_2),
]  # fmt: skip
LACK = {("kind", ()), ("status", ("VOID",))}


async def test_every_filter_finds_what_it_names_in_both_orders(database: str) -> None:
    _, account = await a_history(database)
    for of, name, value, fits in CASES:
        expected = [row["id"] for row in await read(of, account, first=100) if fits(row)]
        filters: Filters = ((name, (value,)),)
        assert bool(expected) != ((name, value) in LACK), name
        assert [row["id"] for row in await read(of, account, filters)] == expected, name
        assert [row["id"] for row in await read(of, account, filters, reverse=True)] == expected[::-1], name
        assert (await lists.nested_counts(of, "account", [account], filters))[account] == (len(expected), True), name


async def test_filters_narrow_each_other(database: str) -> None:
    _, account = await a_history(database)
    given: Filters = (("status", (("FILLED",),)), ("symbol", ("EURUSD",)), ("placed_from", (DAY_2,)))
    found = await read(ORDERS, account, given)
    every = await read(ORDERS, account, first=100)
    fits = [r for r in every if (r["status"], r["symbol"]) == ("FILLED", "EURUSD") and r["placed_at"] >= DAY_2]
    assert [row["id"] for row in found] == [row["id"] for row in fits]
    assert found


async def test_a_caller_finds_its_own_action_by_run_and_name(database: str) -> None:
    _, account = await a_history(database)
    [found] = await read(ACTIONS, account, (("run_id", ("r2",)), ("action_id", ("2d",))))
    assert (found["status"], found["order_status"], json.loads(found["content"])["order"]) == (
        "WORKING", "WORKING", "LIMIT",
    )  # fmt: skip


async def test_a_time_finds_the_first_row_from_then_on(database: str) -> None:
    world, account = await a_history(database)
    times = {row["seq"]: row["market_time"] for row in await read(LEDGER, account, first=100)}
    async with read_connection() as conn:
        for moment in {START - timedelta(1), *times.values(), world.at + timedelta(1), DAY_2 + timedelta(seconds=1)}:
            found = await conn.fetchval("select ledger_seq_at($1, $2)", account, moment)
            assert found == min((seq for seq, at in times.items() if at >= moment), default=len(times) + 1)
        assert await conn.fetchval("select ledger_seq_at(1, now())") is None


LARGE, SMALL, MOST = 10_000, 1_000, 10_000
PLANS = ("force_custom_plan", "force_generic_plan")
GROWN = """
insert into ledger (account_id, seq, kind, amount, balance_after, market_time, batch, facts, hash)
  select $1, s, case when s <= 3 then 'deposit' else 'fill' end, 0, 0, $3::timestamptz + s * interval '1 hour', s,
    '{}', '' from generate_series(1, $2::int) s;
insert into decision_actions (account_id, seq, run, action_id, content, status, market_time, batch)
  select $1, s, 'r' || s, 'a', '{}', case when s <= 3 then 'REJECTED' else 'EXECUTED' end,
    $3::timestamptz + s * interval '1 hour', s from generate_series(1, $2::int) s;
insert into orders (account_id, seq, symbol, side, verb, quantity, status, reason, placed_at, batch, type, ended_at)
  select $1, s, case when s <= 3 then 'XX01USD' else 'EURUSD' end, 'LONG', 'OPEN', 1,
    case when s <= 3 then 'VOID' else 'FILLED' end, '', $3::timestamptz + s * interval '1 hour', s, 'MARKET', now()
  from generate_series(1, $2::int) s;
insert into positions (account_id, seq, symbol, side, status, quantity, cost_basis, opened_at)
  select $1, s, case when s <= 3 then 'XX01USD' else 'EURUSD' end, 'LONG', case when s = 1 then 'OPEN' else 'CLOSED'
    end, case when s = 1 then 1 else 0 end, 0, $3::timestamptz + s * interval '1 hour'
  from generate_series(1, $2::int) s;
insert into fills (account_id, seq, order_seq, position_seq, symbol, side, verb, quantity, price, fee, rate, realised,
    filled_at, batch, quote_time)
  select $1, s, s, s, case when s <= 3 then 'XX01USD' else 'EURUSD' end, 'LONG', 'OPEN', 1, 1, 0, 1, 0,
    $3::timestamptz + s * interval '1 hour', s, now() from generate_series(1, $2::int) s
"""
EARLY = START + timedelta(hours=4)
COSTLY: Sequence[tuple[Listing, Filters]] = [
    *((of, ()) for of in (LEDGER, ORDERS, FILLS, POSITIONS, ACTIONS)),
    (LEDGER, (("kind", (("deposit", "payout"),)),)),
    (LEDGER, (("market_time_before", (EARLY,)),)),
    (ORDERS, (("status", (("VOID", "WORKING"),)),)),
    (ORDERS, (("symbol", ("XX01USD",)),)),
    (ORDERS, (("placed_before", (EARLY,)),)),
    (FILLS, (("symbol", ("XX01USD",)),)),
    (FILLS, (("filled_before", (EARLY,)),)),
    (POSITIONS, (("status", (("OPEN",),)),)),
    (POSITIONS, (("symbol", ("XX01USD",)),)),
    (ACTIONS, (("status", (("REJECTED",),)),)),
    (ACTIONS, (("run_id", ("r2",)), ("action_id", ("a",)))),
    (ACTIONS, (("market_time_before", (EARLY,)),)),
]


class Measured:
    """A connection that explains what it is asked, and keeps how many blocks that touched.

    `mode` says whether the server plans for these values, or for any, as it may once a statement has been used often.
    """

    def __init__(self, conn: Connection, mode: str) -> None:
        self.conn, self.mode, self.blocks, self.found = conn, mode, 0, 0

    async def fetch(self, statement: str, *values: object) -> list[Row]:
        given = ", ".join(f"'{_literal(value)}'" for value in values)
        async with self.conn.transaction():
            await self.conn.execute(f"set local plan_cache_mode = {self.mode}")
            await self.conn.execute(f"prepare asked as {statement}")
            explain = "explain (analyze, buffers, timing off, format json)"
            plan = json.loads(await self.conn.fetchval(f"{explain} execute asked ({given})"))[0]["Plan"]
            await self.conn.execute("deallocate asked")
        self.blocks, self.found = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], plan["Actual Rows"]
        return []


def _literal(value: object) -> str:
    return f"{{{','.join(map(str, value))}}}" if isinstance(value, list) else str(value)


async def test_a_page_costs_what_it_shows_not_what_it_leaves_out(database: str) -> None:
    await a_world(database, symbols=2)
    accounts = {}
    async with connection(database) as conn:
        for size in (SMALL, LARGE):
            accounts[size] = await conn.fetchval(
                """insert into accounts (brand, group_name, mode, currency, policy, starting_balance, created_at)
                values ('acme', 'DEMO', 'AUDITION', 'USD', '{}', 1, now()) returning id"""
            )
            for statement in GROWN.split(";"):
                if "$3" in statement:
                    await conn.execute(statement, accounts[size], size, START)
        await conn.execute("analyze")
    for (of, filters), mode, reverse in product(COSTLY, PLANS, (False, True)):
        blocks = {}
        for size, account in accounts.items():
            async with read_connection() as conn:
                measured = Measured(conn, mode)
                asked = PageRequest(20, None, reverse)
                await views.fetch_nested_pages(
                    cast("Connection", measured), of, "account", [account], filters, asked, MOST
                )
            assert measured.found, (of.source, filters)
            blocks[size] = measured.blocks
        assert blocks[LARGE] < 2 * blocks[SMALL], (of.source, filters, mode, reverse, blocks)
