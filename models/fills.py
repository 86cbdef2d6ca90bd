"""The fills, positions and orders of an account, read for a replay of its trading."""

import json
from collections.abc import Sequence
from decimal import Decimal

import asyncpg

from domain.lifecycles import FillStatus, OrderStatus
from domain.orders import Fill, Order, OrderType, Verb
from domain.positions import Position, Side
from models.sql import Connection

FILL = """account_id, seq, order_seq, position_seq, symbol, side, verb, quantity, price, fee, rate, realised, filled_at,
  batch, quote_time, status, rate_time, rate_pairs, rate_stale, cumulative"""
POSITION = """account_id, seq, symbol, side, opened_at, quantity, cost_basis, realised, fees, closed_at, realised_rest,
  fees_rest, whole_quantity, whole_cost"""
_ORDERS = """
select account_id, seq, symbol, side, verb, quantity, status, reason, placed_at, batch, action_seq, type, price,
  stop_loss, take_profit, ended_at, outcome, origin
from orders where account_id = $1 and seq = any($2::bigint[])
"""


def fill_from_row(row: asyncpg.Record) -> Fill:
    """Return the fill of a row with the columns of FILL."""
    return Fill(
        account=row["account_id"],
        seq=row["seq"],
        order_seq=row["order_seq"],
        position_seq=row["position_seq"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        verb=Verb(row["verb"]),
        quantity=row["quantity"],
        price=row["price"],
        fee=row["fee"],
        rate=row["rate"],
        realised=row["realised"],
        filled_at=row["filled_at"],
        batch=row["batch"],
        quote_time=row["quote_time"],
        status=FillStatus(row["status"]),
        rate_time=row["rate_time"],
        rate_pairs=row["rate_pairs"],
        rate_stale=row["rate_stale"],
        cumulative=row["cumulative"],
    )


def position_from_row(row: asyncpg.Record) -> Position:
    """Return the position of a row with the columns of POSITION."""
    return Position(
        seq=row["seq"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        opened_at=row["opened_at"],
        quantity=row["quantity"],
        cost_basis=row["cost_basis"],
        realised=row["realised"],
        fees=row["fees"],
        closed_at=row["closed_at"],
        realised_rest=row["realised_rest"],
        fees_rest=row["fees_rest"],
        whole_quantity=row["whole_quantity"],
        whole_cost=row["whole_cost"],
    )


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
    return {row["seq"]: _order(row) for row in await conn.fetch(_ORDERS, account_id, seqs)}


def _order(row: asyncpg.Record) -> Order:
    return Order(
        account=row["account_id"],
        seq=row["seq"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        verb=Verb(row["verb"]),
        quantity=row["quantity"],
        status=OrderStatus(row["status"]),
        reason=row["reason"],
        placed_at=row["placed_at"],
        batch=row["batch"],
        action_seq=row["action_seq"],
        type=OrderType(row["type"]),
        price=row["price"],
        stop_loss=row["stop_loss"],
        take_profit=row["take_profit"],
        ended_at=row["ended_at"],
        outcome=json.loads(row["outcome"]),
        origin=row["origin"],
    )


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
