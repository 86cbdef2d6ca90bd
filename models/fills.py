"""The fills, positions and orders of an account, read for a replay of its trading."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import asyncpg

from domain.lifecycles import FillStatus, OrderStatus
from domain.orders import Fill, Order, OrderType, Verb
from domain.positions import Position, Side
from models.sql import Connection

FILL_COLUMNS = ("seq", "order_seq", "position_seq", "symbol", "side", "verb", "quantity", "price", "fee", "rate",
                "realised", "filled_at", "batch", "quote_time", "status", "rate_time", "rate_pairs", "rate_stale",
                "cumulative")  # fmt: skip
POSITION_COLUMNS = ("seq", "symbol", "side", "opened_at", "quantity", "cost_basis", "realised", "fees", "closed_at",
                    "realised_rest", "fees_rest", "whole_quantity", "whole_cost")  # fmt: skip
ORDER_COLUMNS = ("seq", "symbol", "side", "verb", "quantity", "status", "reason", "placed_at", "batch", "action_seq",
                 "type", "price", "stop_loss", "take_profit", "ended_at", "outcome", "origin")  # fmt: skip
FILL = f"account_id, {', '.join(FILL_COLUMNS)}"
POSITION = f"account_id, {', '.join(POSITION_COLUMNS)}"
_ORDERS = f"""
select account_id, {", ".join(ORDER_COLUMNS)} from orders where account_id = $1 and seq = any($2::bigint[])
"""


def fill_from_row(row: asyncpg.Record, prefix: str = "") -> Fill:
    """Return the fill of a row with `account_id` and FILL_COLUMNS, whose names may have a prefix."""
    values: dict[str, Any] = {name: row[prefix + name] for name in FILL_COLUMNS}
    enums = {"side": Side(values["side"]), "verb": Verb(values["verb"]), "status": FillStatus(values["status"])}
    return Fill(row["account_id"], **(values | enums))


def position_from_row(row: asyncpg.Record) -> Position:
    """Return the position of a row with POSITION_COLUMNS."""
    values: dict[str, Any] = {name: row[name] for name in POSITION_COLUMNS}
    return Position(**(values | {"side": Side(values["side"])}))


def order_from_row(row: asyncpg.Record, prefix: str = "") -> Order:
    """Return the order of a row with `account_id` and ORDER_COLUMNS, whose names may have a prefix."""
    values: dict[str, Any] = {name: row[prefix + name] for name in ORDER_COLUMNS}
    enums = {"side": Side(values["side"]), "verb": Verb(values["verb"]), "type": OrderType(values["type"])}
    state = {"status": OrderStatus(values["status"]), "outcome": json.loads(values["outcome"])}
    return Order(row["account_id"], **(values | enums | state))


async def account_fills(conn: Connection, account_id: int) -> list[Fill]:
    """Return every fill of the account, booked or void, in order of seq."""
    rows = await conn.fetch(f"select {FILL} from fills where account_id = $1 order by seq", account_id)
    return [fill_from_row(row) for row in rows]


async def account_positions(conn: Connection, account_id: int) -> dict[int, Position]:
    """Return every position of the account, open or closed, by seq."""
    rows = await conn.fetch(f"select {POSITION} from positions where account_id = $1", account_id)
    return {row["seq"]: position_from_row(row) for row in rows}


async def account_orders(conn: Connection, account_id: int, seqs: Sequence[int]) -> dict[int, Order]:
    """Return the account's orders with these seqs, by seq."""
    return {row["seq"]: order_from_row(row) for row in await conn.fetch(_ORDERS, account_id, seqs)}


async def transfer_total(conn: Connection, account_id: int) -> Decimal:
    """Return the sum of all transfers to and from the account."""
    total: Decimal = await conn.fetchval(
        "select coalesce(sum(amount), 0) from transfers where account_id = $1", account_id
    )
    return total


async def booked_cash(conn: Connection, account_id: int) -> Decimal:
    """Return the cash of the account according to the newest row of its ledger."""
    balance: Decimal | None = await conn.fetchval(
        "select balance_after from ledger where account_id = $1 order by seq desc limit 1", account_id
    )
    return balance if balance is not None else Decimal(0)
