"""Rows as clients and traders may read them: without internal reasons of the first edition.

What is written today has no internal reason outside the audit.
"""

import json
from collections.abc import Callable, Sequence

from domain.ledger import canonical
from domain.reasons import (
    BY_HAND,
    INTERNAL_KINDS,
    PURCHASE_FAILED,
    REQUESTED,
    shown_event,
    shown_facts,
    shown_row,
)
from models.views.accounts import ACTIONS, LEDGER, ORDERS, ORDERS_NAMED
from models.views.breaches import BREACHES
from models.views.events import EVENTS
from models.views.list_query import Listing, Row
from models.views.wallets import TRANSFERS
from services.principals import Principal, Role

BY_HAND_KINDS = frozenset({"TOP_UP", "WITHDRAWAL"})
OUTSIDERS = frozenset({Role.CLIENT, Role.TRADER})


def _ledger(row: Row) -> Row:
    if row["kind"] not in INTERNAL_KINDS:
        return row
    return {**row, "facts": canonical(shown_row(row["kind"], json.loads(row["facts"])))}


def _reason(column: str, code: str) -> Callable[[Row], Row]:
    """Return a mask for facts in this column that may have a reason; few have one."""

    def masked(row: Row) -> Row:
        text: str | None = row[column]
        if text is None or '"reason"' not in text:
            return row
        return {**row, column: canonical(shown_facts(json.loads(text), code))}

    return masked


def _event(row: Row) -> Row:
    if row["name"] != PURCHASE_FAILED:
        return row
    return {**row, "payload": canonical(shown_event(row["name"], json.loads(row["payload"])))}


def _transfer(row: Row) -> Row:
    """Return the row without the key of a manual transfer: it may be an internal reference of the firm."""
    return {**row, "cause": row["cause"].partition(" ")[0]} if row["kind"] in BY_HAND_KINDS else row


MASKS: dict[Listing, Callable[[Row], Row]] = {
    LEDGER: _ledger,
    ORDERS: _reason("outcome", REQUESTED),
    ORDERS_NAMED: _reason("outcome", REQUESTED),
    ACTIONS: _reason("order_outcome", REQUESTED),
    BREACHES: _reason("derivation", BY_HAND),
    EVENTS: _event,
    TRANSFERS: _transfer,
}


def readable_rows(principal: Principal | None, listing: Listing, rows: Sequence[Row]) -> list[Row]:
    """Return the rows as the principal may read them; all of each row without a principal."""
    mask = MASKS.get(listing) if principal and principal.role in OUTSIDERS else None
    return list(rows) if mask is None else [mask(row) for row in rows]
