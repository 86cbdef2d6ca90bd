"""Stored results of actions by the caller's key, and the status of orders."""

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import asyncpg

from domain.lifecycles import ActionStatus, OrderStatus
from domain.orders import Action, ActionResult, Fill, Order, OrderType, Refusal, Verb
from domain.positions import Side
from models.sql import Connection

SELECT = """
select a.account_id, a.seq, a.run, a.action_id, a.content, a.status, a.refusal, a.quote, a.order_seq, a.market_time,
  a.batch, o.symbol, o.side, o.verb, o.quantity, o.status as order_status, o.reason, o.placed_at,
  o.batch as order_batch, o.action_seq, o.type, o.price as own_price, o.stop_loss, o.take_profit, o.ended_at, o.outcome,
  o.origin,
  f.seq as fill_seq, f.position_seq, f.price, f.fee, f.rate, f.realised, f.filled_at, f.batch as fill_batch,
  f.quote_time, f.rate_time, f.rate_pairs, f.rate_stale, f.cumulative
from decision_actions a
left join orders o on o.account_id = a.account_id and o.seq = a.order_seq
left join fills f on f.account_id = a.account_id and f.order_seq = a.order_seq
"""
BY_KEY = SELECT + "where a.account_id = $1 and (a.run, a.action_id) in (select * from unnest($2::text[], $3::text[]))"


def _result(row: asyncpg.Record) -> ActionResult:
    refusal = row["refusal"]
    return ActionResult(
        account=row["account_id"],
        seq=row["seq"],
        content=Action(row["run"], row["action_id"], **_known_fields(Action, row["content"])),
        status=ActionStatus(row["status"]),
        refusal=Refusal(**_known_fields(Refusal, refusal)) if refusal else None,
        quote=json.loads(row["quote"]),
        order=_order(row) if row["order_seq"] is not None else None,
        fill=_fill(row) if row["fill_seq"] is not None else None,
        market_time=row["market_time"],
        batch=row["batch"],
    )


def _known_fields(kind: type[Action] | type[Refusal], text: str) -> dict[str, Any]:
    """Return the stored fields that this version has; a newer version may have stored more."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in json.loads(text).items() if name in names}


def _order(row: asyncpg.Record) -> Order:
    return Order(
        account=row["account_id"],
        seq=row["order_seq"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        verb=Verb(row["verb"]),
        quantity=row["quantity"],
        status=OrderStatus(row["order_status"]),
        reason=row["reason"],
        placed_at=row["placed_at"],
        batch=row["order_batch"],
        action_seq=row["action_seq"],
        type=OrderType(row["type"]),
        price=row["own_price"],
        stop_loss=row["stop_loss"],
        take_profit=row["take_profit"],
        ended_at=row["ended_at"],
        outcome=json.loads(row["outcome"]),
        origin=row["origin"],
    )


def _fill(row: asyncpg.Record) -> Fill:
    return Fill(
        account=row["account_id"],
        seq=row["fill_seq"],
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
        batch=row["fill_batch"],
        quote_time=row["quote_time"],
        rate_time=row["rate_time"],
        rate_pairs=row["rate_pairs"],
        rate_stale=row["rate_stale"],
        cumulative=row["cumulative"],
    )


async def stored_results(
    conn: Connection, account_id: int, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], ActionResult]:
    """Return the stored results of an account's actions, by (run, action id)."""
    runs, ids = [run for run, _ in keys], [action_id for _, action_id in keys]
    results = [_result(row) for row in await conn.fetch(BY_KEY, account_id, runs, ids)]
    return {result.content.key: result for result in results}


async def order_status(conn: Connection, account_id: int, seq: int) -> OrderStatus | None:
    """Return the status of an order; None if there is no such order."""
    status = await conn.fetchval("select status from orders where account_id = $1 and seq = $2", account_id, seq)
    return None if status is None else OrderStatus(status)
