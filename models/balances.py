"""Statements that write balances and flags of accounts after the fold."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from domain.accounts import Account
from models import sql
from models.sql import Part

BALANCES: sql.Columns = {
    "account_id": "bigint",
    "cash": "numeric",
    "realised": "numeric",
    "fees": "numeric",
    "unrealised": "numeric",
    "equity": "numeric",
    "high_watermark": "numeric",
    "seq": "bigint",
    "head": "bytea",
    "marked_through": "bigint",
    "marked_at": "timestamptz",
    "ledger_due_at": "timestamptz",
    "live": "boolean",
    "refusals_end_at": "timestamptz",
    "refusals_since": "bigint",
    "refusals_stored": "bigint",
    "refusals_beyond": "bigint",
    "day": "integer",
    "day_date": "date",
    "day_ends_at": "timestamptz",
    "day_start_balance": "numeric",
    "day_start_equity": "numeric",
    "day_low": "numeric",
    "day_high": "numeric",
    "peak_equity": "numeric",
    "peak_balance": "numeric",
    "peak_end_of_day": "numeric",
    "day_traded": "boolean",
    "days_traded": "integer",
    "days_profitable": "integer",
    "best_day_profit": "numeric",
    "last_fill_day": "integer",
    "day_withdrawn": "numeric",
    "day_findings": "text",
    "metric_due_at": "timestamptz",
}
# unnest flattens an array of arrays, so the set of findings is sent as one text.
_EXPRESSIONS = {"day_findings": "string_to_array(n.day_findings, ' ')", "touched": "pg_current_xact_id()"}
WRITE_BALANCES = sql.update_statement("balances", ["account_id"], BALANCES, _EXPRESSIONS)
WRITE_ACCOUNTS = sql.update_statement(
    "accounts",
    ["id"],
    {"id": "bigint", "status": "text", "read_only": "boolean", "blocked_until": "timestamptz", "locked_from": "text"},
)


def _balance_row(account: Account) -> tuple[Any, ...]:
    day = account.refusals
    head = (
        account.id,
        account.cash,
        account.realised,
        account.fees,
        account.unrealised,
        account.equity,
        account.high_watermark,
        account.seq,
        account.head,
        account.marked_through,
        account.marked_at,
        account.ledger_due_at,
        account.live,
        *((None, None, 0, 0) if day is None else (day.ends_at, day.since, day.stored, day.beyond)),
    )
    phase = account.phase
    if phase is None:
        return *head, *([None] * 10), False, 0, 0, Decimal(0), 1, Decimal(0), "", None
    return (
        *head,
        phase.day,
        phase.day_date,
        phase.day_ends_at,
        phase.day_start_balance,
        phase.day_start_equity,
        phase.day_low,
        phase.day_high,
        phase.peak_equity,
        phase.peak_balance,
        phase.peak_end_of_day,
        phase.day_traded,
        phase.days_traded,
        phase.days_profitable,
        phase.best_day_profit,
        phase.last_fill_day,
        phase.day_withdrawn,
        " ".join(sorted(phase.day_findings)),
        phase.metric_due_at,
    )


def balance_parts(accounts: Sequence[Account], flags: Sequence[Account]) -> list[Part]:
    """Return the updates of the balances of `accounts`, and of status, read-only, block and lock of `flags`.

    The caller has locked the rows.
    """
    return [
        (WRITE_BALANCES, [_balance_row(account) for account in accounts]),
        (WRITE_ACCOUNTS, [(a.id, a.status.value, a.read_only, a.blocked_until, a.locked_from) for a in flags]),
    ]
