"""Stop-loss and take-profit of a position: brought to life by a fill; set, moved and removed by PROTECT.

A position has at most one of each. An amended one is a new order that names the first version (`origin`); the one
before is cancelled as REPLACED and keeps its price, so the history of an order is never overwritten.
"""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from domain import working_orders
from domain.accounts import Account, Journal
from domain.lifecycles import OrderStatus
from domain.orders import Order, OrderType, Verb
from domain.positions import Position
from domain.pre_trade import OrderTicket

REPLACED, REMOVED, CLOSED = "REPLACED", "REMOVED", "POSITION_CLOSED"  # why a stop-loss or take-profit is cancelled


class Part(NamedTuple):
    """Return how much of a position an order closes: all of it (CLOSE), or a quantity (REDUCE)."""

    verb: Verb
    quantity: Decimal


def update_exits(
    account: Account, order: Order, position: Position, at: datetime, batch: int, journal: Journal
) -> Account:
    """Place the filled order's stop-loss and take-profit; cancel every exit of a position that has closed."""
    if not account.orders and order.stop_loss is None and order.take_profit is None:
        return account
    if not position.quantity:
        ended = [one.seq for one in working_orders.exits(account, position.symbol, position.side)]
        return working_orders.cancel(account, ended, CLOSED, at, batch, journal)
    every = Part(Verb.CLOSE, position.quantity)
    for kind, price in (OrderType.STOP_LOSS, order.stop_loss), (OrderType.TAKE_PROFIT, order.take_profit):
        if price is not None:
            account, _ = _put(account, position, kind, price, every, order.action_seq, at, batch, journal)
    return account


def amend(
    account: Account, ticket: OrderTicket, action_seq: int, at: datetime, batch: int, journal: Journal
) -> tuple[Account, Order | None]:
    """Set, move and remove what an admitted PROTECT names; the first order that was placed, if one was.

    Without a size, what is moved keeps its size, and what is new closes all of the position.
    """
    position, first = ticket.holding, None
    there = {order.type: order for order in working_orders.protecting(account, position.symbol, position.side)}
    for kind in ticket.removed:
        if kind in there:
            account = working_orders.cancel(account, [there[kind].seq], REMOVED, at, batch, journal)
    for kind, price in (OrderType.STOP_LOSS, ticket.stop_loss), (OrderType.TAKE_PROFIT, ticket.take_profit):
        if price is None:
            continue
        part, old = _part(ticket, position, there.get(kind)), there.get(kind)
        if old and (old.price, old.verb) == (price, part.verb) and part.quantity in (old.quantity, position.quantity):
            continue  # it stands so already
        account, order = _put(account, position, kind, price, part, action_seq, at, batch, journal)
        first = first or order
    return account, first


def _part(ticket: OrderTicket, position: Position, old: Order | None) -> Part:
    if not ticket.is_sized:
        kept = old is not None and old.verb is Verb.REDUCE
        return Part(Verb.REDUCE, old.quantity) if old and kept else Part(Verb.CLOSE, position.quantity)
    verb = Verb.CLOSE if ticket.quantity == position.quantity else Verb.REDUCE
    return Part(verb, ticket.quantity)


def _put(
    account: Account,
    position: Position,
    kind: OrderType,
    price: Decimal,
    part: Part,
    action_seq: int | None,
    at: datetime,
    batch: int,
    journal: Journal,
) -> tuple[Account, Order]:
    """Place a stop-loss or take-profit, in the place of the one the position has."""
    origin = None
    for old in working_orders.protecting(account, position.symbol, position.side):
        if old.type is kind:
            account = working_orders.cancel(account, [old.seq], REPLACED, at, batch, journal)
            origin = old.origin or old.seq
    order = Order(
        account.id, account.seq + 1, position.symbol, position.side, part.verb, part.quantity, OrderStatus.WORKING,
        "ACTION", at, batch, action_seq, kind, price, origin=origin,
    )  # fmt: skip
    return working_orders.place(account, order, journal), order
