"""The statements that write a transaction's journal: one for each table, for any number of accounts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from domain.accounts import Finding, Journal
from domain.ledger import canonical
from domain.orders import Action, ActionResult, Refusal
from models import sql
from models.sql import Part

LEDGER: sql.Columns = {
    "account_id": "bigint",
    "seq": "bigint",
    "kind": "text",
    "amount": "numeric",
    "balance_after": "numeric",
    "market_time": "timestamptz",
    "batch": "bigint",
    "facts": "jsonb",
    "hash": "bytea",
}
METRICS: sql.Columns = {
    "phase_id": "bigint",
    "challenge_id": "bigint",
    "account_id": "bigint",
    "market_time": "timestamptz",
    "batch": "bigint",
    "balance": "numeric",
    "equity": "numeric",
    "day_start_balance": "numeric",
    "day_start_equity": "numeric",
    "day_low": "numeric",
    "day_high": "numeric",
    "peak_equity": "numeric",
}
DAYS: sql.Columns = {
    "phase_id": "bigint",
    "number": "integer",
    "date": "date",
    "start_balance": "numeric",
    "start_equity": "numeric",
    "balance": "numeric",
    "equity": "numeric",
    "low": "numeric",
    "high": "numeric",
    "traded": "boolean",
    "ends_at": "timestamptz",
    "closed": "boolean",
}
BREACHES: sql.Columns = {
    "phase_id": "bigint",
    "challenge_id": "bigint",
    "account_id": "bigint",
    "rule": "text",
    "consequence": "text",
    "day": "integer",
    "day_date": "date",
    "market_time": "timestamptz",
    "batch": "bigint",
    "limit": "numeric",
    "floor": "numeric",
    "observed": "numeric",
    "headroom": "numeric",
    "derivation": "jsonb",
    "ledger_seq": "bigint",
    "ledger_hash": "bytea",
    "terms_hash": "text",
    "marks": "jsonb",
}
ACTIONS: sql.Columns = {
    "account_id": "bigint",
    "seq": "bigint",
    "run": "text",
    "action_id": "text",
    "content": "jsonb",
    "status": "text",
    "refusal": "jsonb",
    "quote": "jsonb",
    "order_seq": "bigint",
    "market_time": "timestamptz",
    "batch": "bigint",
}
ORDERS: sql.Columns = {
    "account_id": "bigint",
    "seq": "bigint",
    "symbol": "text",
    "side": "text",
    "verb": "text",
    "quantity": "numeric",
    "status": "text",
    "reason": "text",
    "placed_at": "timestamptz",
    "batch": "bigint",
    "action_seq": "bigint",
    "type": "text",
    "price": "numeric",
    "stop_loss": "numeric",
    "take_profit": "numeric",
    "ended_at": "timestamptz",
    "origin": "bigint",
    "outcome": "jsonb",
}
FILLS: sql.Columns = {
    "account_id": "bigint",
    "seq": "bigint",
    "order_seq": "bigint",
    "position_seq": "bigint",
    "symbol": "text",
    "side": "text",
    "verb": "text",
    "quantity": "numeric",
    "price": "numeric",
    "fee": "numeric",
    "rate": "numeric",
    "realised": "numeric",
    "filled_at": "timestamptz",
    "batch": "bigint",
    "quote_time": "timestamptz",
    "status": "text",
    "rate_time": "timestamptz",
    "rate_pairs": "text",
    "rate_stale": "boolean",
}
POSITIONS: sql.Columns = {
    "account_id": "bigint",
    "seq": "bigint",
    "symbol": "text",
    "side": "text",
    "status": "text",
    "quantity": "numeric",
    "cost_basis": "numeric",
    "realised": "numeric",
    "fees": "numeric",
    "opened_at": "timestamptz",
    "closed_at": "timestamptz",
    "realised_rest": "numeric",
    "fees_rest": "numeric",
    "whole_quantity": "numeric",
    "whole_cost": "numeric",
}

INSERT_LEDGER = sql.insert_statement("ledger", LEDGER)
INSERT_METRICS = sql.insert_statement("metrics", METRICS)
UPSERT_DAYS = sql.insert_statement(
    "days",
    DAYS,
    """on conflict (phase_id, number) do update set start_balance = excluded.start_balance,
    start_equity = excluded.start_equity, balance = excluded.balance, equity = excluded.equity,
    low = excluded.low, high = excluded.high, traded = excluded.traded, closed = excluded.closed""",
)
INSERT_BREACHES = sql.insert_statement("breaches", BREACHES)
INSERT_ACTIONS = sql.insert_statement("decision_actions", ACTIONS)
UPSERT_ORDERS = sql.insert_statement(
    "orders",
    ORDERS,
    """on conflict (account_id, seq) do update set status = excluded.status, quantity = excluded.quantity,
    ended_at = excluded.ended_at, outcome = excluded.outcome""",
)
INSERT_FILLS = sql.insert_statement("fills", FILLS)
UPDATE_FILLS = sql.update_statement(
    "fills",
    ["account_id", "seq"],
    {
        "account_id": "bigint",
        "seq": "bigint",
        "status": "text",
        "position_seq": "bigint",
        "realised": "numeric",
        "fee": "numeric",
    },
)
UPSERT_POSITIONS = sql.insert_statement(
    "positions",
    POSITIONS,
    """on conflict (account_id, seq) do update set status = excluded.status, quantity = excluded.quantity,
    cost_basis = excluded.cost_basis, realised = excluded.realised, fees = excluded.fees,
    opened_at = excluded.opened_at, closed_at = excluded.closed_at, realised_rest = excluded.realised_rest,
    fees_rest = excluded.fees_rest, whole_quantity = excluded.whole_quantity, whole_cost = excluded.whole_cost""",
)


# The attribute of a column whose name differs. Enums are read by `_value_`, because `value` is slow.
_ENUMS = ("kind", "side", "verb", "status", "type")
_ATTRIBUTES = {"account_id": "account"} | {name: f"{name}._value_" for name in _ENUMS}


def _reader(columns: Iterable[str], **attributes: str) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that reads the values of these columns from an object."""
    return attrgetter(*((_ATTRIBUTES | attributes).get(name, name) for name in columns))


_ledger = _reader(LEDGER, facts="text")
_order = _reader(list(ORDERS)[:-1])  # all but its outcome
_fill = _reader(FILLS)
_day = _reader(DAYS)
_metric = _reader(METRICS, account_id="account_id")
_REASONS = tuple(field.name for field in fields(Refusal))
_CONTENT = tuple(field.name for field in fields(Action) if field.name not in ACTIONS)
_reasons, _content = attrgetter(*_REASONS), attrgetter(*_CONTENT)


def journal_parts(journal: Journal, terms_hashes: Mapping[int, str]) -> list[Part]:
    """Return the writes of the journal, table by table. `terms_hashes`: by challenge, for the breaches."""
    corrected = [(f.account, f.seq, f.status.value, f.position_seq, f.realised, f.fee) for f in journal.corrected]
    return [
        (INSERT_LEDGER, list(map(_ledger, journal.rows))),
        (INSERT_ACTIONS, list(map(_action, journal.actions))),
        (UPSERT_ORDERS, [(*_order(order), canonical(order.outcome)) for order in journal.orders.values()]),
        (UPSERT_POSITIONS, _positions(journal)),
        (INSERT_FILLS, list(map(_fill, journal.fills))),
        (UPDATE_FILLS, corrected),
        (UPSERT_DAYS, list(map(_day, journal.days.values()))),
        (INSERT_METRICS, list(map(_metric, journal.metrics))),
        (INSERT_BREACHES, [_finding(finding, terms_hashes[finding.challenge_id]) for finding in journal.findings]),
    ]


def _positions(journal: Journal) -> Sequence[tuple[Any, ...]]:
    return [
        (account, p.seq, p.symbol, p.side._value_, "OPEN" if p.quantity else "CLOSED", p.quantity, p.cost_basis,
         p.realised, p.fees, p.opened_at, p.closed_at, p.realised_rest, p.fees_rest, p.whole_quantity, p.whole_cost)
        for (account, _), p in journal.positions.items()
    ]  # fmt: skip


def _action(result: ActionResult) -> tuple[Any, ...]:
    return (
        result.account,
        result.seq,
        result.content.run,
        result.content.action_id,
        _json_of(_CONTENT, _content(result.content)),
        result.status._value_,
        _json_of(_REASONS, _reasons(result.refusal)) if result.refusal else None,
        canonical(result.quote),
        result.order_seq,
        result.market_time,
        result.batch,
    )


def _json_of(names: Sequence[str], values: Sequence[str | None]) -> str:
    """Return the values that are not None as JSON, by name."""
    return canonical({name: value for name, value in zip(names, values, strict=True) if value is not None})


def _finding(finding: Finding, terms_hash: str) -> tuple[Any, ...]:
    columns = [getattr(finding, name) for name in list(BREACHES)[:-5]]
    marks = f"[{','.join(map(canonical, finding.marks))}]"
    return *columns, canonical(finding.derivation), finding.ledger_seq, finding.ledger_hash, terms_hash, marks
