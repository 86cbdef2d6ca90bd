"""Resting orders meet the quotes: reached, they are gated once more and filled, or refused; at stale ones they wait.

An order is looked at whenever a quote of its instrument, or of the pair that converts it, comes after it was placed;
what a fill brings to life looks at the quotes after it.
"""

from collections.abc import Collection
from decimal import Decimal

from domain import days, valuation, working_orders
from domain.accounts import Account, Journal
from domain.execution import Moment, book, closing, ticket_of
from domain.frozen import replace
from domain.gates import admit
from domain.ledger import Facts
from domain.money import plain
from domain.orders import Action, Order, Verb
from domain.pre_trade import GateRefused, OrderTicket
from domain.verdicts import Conditions


def trigger(
    account: Account, quoted: Collection[str], moment: Moment, conditions: Conditions, journal: Journal
) -> Account:
    """Fill what the quotes of these symbols reach: orders that lower exposure, then entries, each in the order placed.

    Nothing is judged between the fills, and the highs and lows are moved once, by where the account stands after the
    last of them: what a batch comes to does not depend on which of its orders was placed first.
    """
    before = account
    for order in sorted(account.orders.values(), key=lambda order: (order.verb.adds, order.seq)):
        if order.seq in account.orders and _is_reached(order, account, quoted, moment, conditions):
            account = _execute(account, order, moment, conditions, journal)
    return account if account is before else days.observe_once(before, account)


def _is_reached(
    order: Order, account: Account, quoted: Collection[str], moment: Moment, conditions: Conditions
) -> bool:
    """Return whether the order's price is reached at quotes that are fresh enough to deal on."""
    catalogue, market, policy = conditions.catalogue, moment.market, account.policy
    if valuation.symbols_of(order.symbol, account.currency, catalogue, market).isdisjoint(quoted):
        return False
    quote = market[order.symbol]
    if not valuation.is_fresh(quote.source_time, moment.at, policy):
        return False
    if order.verb.adds:  # what lowers exposure takes the last good rate
        rate = catalogue.rate(catalogue.instruments[order.symbol].quote_currency, account.currency, market)
        if rate is None or not valuation.is_fresh(rate.time, moment.at, policy):
            return False
    assert order.price, "an order rests at a price"
    price = valuation.deal_price(quote, order.buys, policy.slippage)
    return order.type.reached(price, order.price, buys=order.buys)


def _execute(account: Account, order: Order, moment: Moment, conditions: Conditions, journal: Journal) -> Account:
    quote = moment.market[order.symbol]
    try:
        ticket = _agree(account, order, moment, conditions)
    except GateRefused as refused:
        refusal = refused.refusal
        outcome: Facts = {"code": refusal.code, "limit": refusal.limit, "observed": refusal.observed}
        return working_orders.reject(account, order.seq, outcome | quote.facts, moment.at, moment.batch, journal)
    filled = working_orders.filled(order, ticket.quantity, moment.at)
    return book(account, filled, ticket, moment, conditions, journal)[0]


def _agree(account: Account, order: Order, moment: Moment, conditions: Conditions) -> OrderTicket:
    """By which the order is filled now. Raises GateRefused for an entry; nothing may forbid what lowers exposure."""
    if not order.verb.adds:
        part = order.quantity if order.verb is Verb.REDUCE else None
        return closing(account, account.positions[order.symbol, order.side], moment, conditions, part)
    others = replace(account, orders=working_orders.without(account, order.seq))
    proposed = Action(
        run="",
        action_id="",
        action=order.verb,
        symbol=order.symbol,
        side=order.side,
        quantity=plain(order.quantity),
        stop_loss=_text(order.stop_loss),
        take_profit=_text(order.take_profit),
    )
    return admit(ticket_of(proposed, others, moment, conditions), triggered=True)


def _text(price: Decimal | None) -> str | None:
    return None if price is None else plain(price)
