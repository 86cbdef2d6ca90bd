"""Stored results of actions by the caller's key, and the status of orders."""

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import asyncpg

from domain.lifecycles import ActionStatus, OrderStatus
from domain.orders import Action, ActionResult, Refusal
from models.fills import FILL_COLUMNS, ORDER_COLUMNS, fill_from_row, order_from_row
from models.sql import Connection

# A fill is answered as it was booked, even if it has been voided since.
_FILL = ("'BOOKED' as fill_status" if name == "status" else f"f.{name} as fill_{name}" for name in FILL_COLUMNS)
SELECT = f"""
select a.account_id, a.seq, a.run, a.action_id, a.content, a.status, a.refusal, a.quote, a.order_seq, a.market_time,
  a.batch, {", ".join(f"o.{name} as placed_{name}" for name in ORDER_COLUMNS)}, {", ".join(_FILL)}
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
        order=order_from_row(row, "placed_") if row["order_seq"] is not None else None,
        fill=fill_from_row(row, "fill_") if row["fill_seq"] is not None else None,
        market_time=row["market_time"],
        batch=row["batch"],
    )


def _known_fields(kind: type[Action] | type[Refusal], text: str) -> dict[str, Any]:
    """Return the stored fields that this version has; a newer version may have stored more."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in json.loads(text).items() if name in names}


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
