"""Working orders of an account: each is placed under its ledger row's seq and ended once, with a reason."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from domain.accounts import Account, Journal
from domain.frozen import replace
from domain.ledger import Entry, Facts, Kind
from domain.lifecycles import OrderStatus, move
from domain.money import ZERO, plain
from domain.orders import Order
from domain.positions import Side


def placing(order: Order) -> Entry:
    """Return what the ledger says of an order that begins to work."""
    facts: Facts = {
        "symbol": order.symbol,
        "side": order.side,
        "verb": order.verb,
        "quantity": plain(order.quantity),
        "reason": order.reason,
        "type": order.type,
    }
    for name, price in ("price", order.price), ("stop_loss", order.stop_loss), ("take_profit", order.take_profit):
        if price is not None:
            facts[name] = plain(price)
    if order.origin is not None:
        facts["origin"] = order.origin
    return Kind.ORDER_PLACED, facts, ZERO


def place(account: Account, order: Order, journal: Journal, *causes: Entry) -> Account:
    """Write a working order behind the rows that led to it; its seq is that of its own row."""
    assert order.seq == account.seq + len(causes) + 1, "an order is named by the row that places it"
    journal.orders[account.id, order.seq] = order
    working = {**account.orders, order.seq: order}
    return journal.write(account, (*causes, placing(order)), order.placed_at, order.batch, orders=working)


def filled(order: Order, quantity: Decimal, at: datetime) -> Order:
    """Return the working order as it is once this quantity is dealt."""
    status = move("order", order.status, OrderStatus.FILLED)
    return replace(order, status=status, quantity=quantity, ended_at=at)


def cancel(
    account: Account,
    seqs: Iterable[int] | None,
    reason: str,
    at: datetime,
    batch: int,
    journal: Journal,
    shown: str | None = None,
) -> Account:
    """Cancel these of the account's working orders, or all of them, each with a row of the ledger.

    `reason` is a code, `shown` what somebody said to it.
    """
    for seq in sorted(account.orders if seqs is None else seqs):
        outcome: Facts = {"reason": reason} | ({"shown": shown} if shown else {})
        account = _end(account, seq, OrderStatus.CANCELLED, Kind.ORDER_CANCELLED, outcome, at, batch, journal)
    return account


def reject(account: Account, seq: int, outcome: Facts, at: datetime, batch: int, journal: Journal) -> Account:
    """End a working order that a gate stopped when it triggered; `outcome` says which."""
    return _end(account, seq, OrderStatus.REJECTED, Kind.ORDER_REJECTED, outcome, at, batch, journal)


def _end(
    account: Account,
    seq: int,
    status: OrderStatus,
    kind: Kind,
    outcome: Facts,
    at: datetime,
    batch: int,
    journal: Journal,
) -> Account:
    order = account.orders[seq]
    ended = replace(order, status=move("order", order.status, status), ended_at=at, outcome=outcome)
    journal.orders[account.id, seq] = ended
    return journal.append(account, kind, at, batch, {"order": seq} | outcome, orders=without(account, seq))


def without(account: Account, seq: int) -> dict[int, Order]:
    """Return the account's working orders but this one."""
    if seq not in account.orders:
        return account.orders
    others = account.orders.copy()
    del others[seq]
    return others


def exits(account: Account, symbol: str, side: Side) -> list[Order]:
    """Return every working order that lowers a holding, and so ends with it."""
    every = account.orders.values()
    return [order for order in every if not order.verb.adds and (order.symbol, order.side) == (symbol, side)]


def protecting(account: Account, symbol: str, side: Side) -> list[Order]:
    """Return the stop-loss and the take-profit of a holding, as far as it has them."""
    return [order for order in exits(account, symbol, side) if order.type.protects]
