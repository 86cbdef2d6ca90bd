"""Decision actions as stored: found again by the caller's key."""

import json
from collections.abc import Sequence

import asyncpg

from domain.lifecycles import ActionStatus
from domain.orders import Action, ActionResult, Fill, Refusal, Verb
from domain.positions import Side
from models.sql import Connection

SELECT = """
select a.account_id, a.seq, a.content, a.status, a.refusal, a.quote, a.order_seq, a.market_time, a.batch,
  f.seq as fill_seq, f.position_seq, f.symbol, f.side, f.verb, f.quantity, f.price, f.fee, f.rate, f.realised,
  f.filled_at, f.batch as fill_batch, f.quote_time
from decision_actions a
left join fills f on f.account_id = a.account_id and f.order_seq = a.order_seq
"""
KNOWN = SELECT + "where a.account_id = $1 and (a.run, a.action_id) in (select * from unnest($2::text[], $3::text[]))"
ONE = SELECT + "where a.account_id = $1 and a.seq = $2"


def _result(row: asyncpg.Record) -> ActionResult:
    refusal = row["refusal"]
    return ActionResult(
        account=row["account_id"],
        seq=row["seq"],
        content=Action(**json.loads(row["content"])),
        status=ActionStatus(row["status"]),
        refusal=Refusal(**json.loads(refusal)) if refusal else None,
        quote=json.loads(row["quote"]),
        order_seq=row["order_seq"],
        fill=_fill(row) if row["fill_seq"] is not None else None,
        market_time=row["market_time"],
        batch=row["batch"],
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
    )


async def known(
    conn: Connection, account_id: int, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], ActionResult]:
    """The stored answers to these (run, action id), of one account."""
    runs, ids = [run for run, _ in keys], [action_id for _, action_id in keys]
    found = [_result(row) for row in await conn.fetch(KNOWN, account_id, runs, ids)]
    return {result.content.key: result for result in found}


async def action(conn: Connection, account_id: int, seq: int) -> ActionResult | None:
    """One stored action by its ledger row."""
    row = await conn.fetchrow(ONE, account_id, seq)
    return None if row is None else _result(row)
