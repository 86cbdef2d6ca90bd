"""Accounts as models/columnar/shards.py reads them: a whole shard in columns."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Any

import numpy as np

from domain.accounts import Account
from domain.columnar.account_rows import ALWAYS, NEVER, time_of
from domain.columnar.bulk_load import StoredAccounts, StoredPositions, StoredShard, TermsGroup
from domain.columnar.fixed_point import units
from domain.ledger import microseconds
from domain.money import AMOUNT_UNIT
from domain.positions import Position, Side
from domain.verdicts import Conditions

TOO_LARGE = 2**62
PHASE_FIGURES = ("initial_balance", "day_start_balance", "day_start_equity", "peak_equity", "peak_balance",
                 "peak_end_of_day", "day_low", "day_high")  # fmt: skip


def cut(value: Decimal) -> int:
    """As the database says amounts that a bigint of units cannot hold."""
    return max(-TOO_LARGE, min(TOO_LARGE, int(value.scaleb(8))))


def stored(live: Sequence[tuple[Account, Conditions]], symbols: Sequence[str]) -> StoredShard:
    """Live accounts in order of id."""
    groups: list[TermsGroup] = []
    rows = [_account(account, its, groups) for account, its in live]
    held = [_position(account, p, symbols) for account, _ in live for p in account.positions.values()]
    heads = b"".join(account.head for account, _ in live)
    return StoredShard(
        StoredAccounts(**_columns(rows, StoredAccounts.__dataclass_fields__)),
        np.frombuffer(heads, np.uint8).reshape(-1, 32),
        StoredPositions(**_columns(held, StoredPositions.__dataclass_fields__)),
        groups,
        list(symbols),
    )


def _columns(rows: Sequence[dict[str, Any]], names: Any) -> dict[str, Any]:
    flags = {"needs_single_load", "short"}
    return {n: np.array([row[n] for row in rows], np.bool_ if n in flags else np.int64) for n in names}


def _account(account: Account, its: Conditions, groups: list[TermsGroup]) -> dict[str, Any]:
    phase = account.phase
    runs = phase is not None and phase.running
    group = TermsGroup(account.currency, account.policy, phase.status if phase else None, its.terms)
    if group not in groups:
        groups.append(group)
    return {
        **{name: cut(getattr(phase, name)) if runs else 0 for name in PHASE_FIGURES},
        "cash": cut(account.cash),
        "starting_balance": cut(account.starting_balance),
        "unrealised": cut(account.unrealised),
        "high_watermark": cut(account.high_watermark),
        "id": account.id,
        "seq": account.seq,
        "through": account.marked_through,
        "marked_at": time_of(account.marked_at, ALWAYS),
        "ledger_due_at": time_of(account.ledger_due_at, ALWAYS),
        "group": groups.index(group),
        "phase_id": phase.id if phase and runs else 0,
        "challenge_id": phase.challenge_id if phase else 0,
        "day_ends_at": microseconds(phase.day_ends_at) if phase else NEVER,
        "metric_due_at": time_of(phase.metric_due_at, NEVER) if phase else NEVER,
        "needs_single_load": bool(account.orders or (phase and (phase.day_findings or phase.day_withdrawn))),
    }


def _position(account: Account, position: Position, symbols: Sequence[str]) -> dict[str, Any]:
    whole = position.cost_basis.quantize(AMOUNT_UNIT, rounding=ROUND_DOWN)
    return {
        "account": account.id,
        "symbol": symbols.index(position.symbol),
        "short": position.side is Side.SHORT,
        "quantity": cut(position.quantity),
        "cost": units(whole),
        "cost_rest": int((position.cost_basis - whole).scaleb(18)),
    }
