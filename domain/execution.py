"""A batch of decision actions, executed or refused one by one: the pure half of submitting them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from domain import days, resting, valuation
from domain.accounts import Account, Holdings, Journal
from domain.fills import Deal, deal
from domain.gates import admit
from domain.judging import Conditions, judge
from domain.ledger import Entry, Facts, Kind
from domain.lifecycles import ActionStatus, OrderStatus, move
from domain.money import ZERO, plain
from domain.orders import Action, ActionResult, Fill, Order, OrderType, Refusal, Verb
from domain.positions import Position
from domain.quotes import Market, Quote
from domain.tickets import GateRefused, Ticket
from domain.values import replace


@dataclass(frozen=True, slots=True)
class Moment:
    """The market an account is at: what it is caught up with."""

    market: Market
    at: datetime
    batch: int


Known = Mapping[tuple[str, str], ActionResult]
"""Answers already stored for the account, by (run, action id)."""


def submit(
    account: Account, actions: Sequence[Action], known: Known, moment: Moment, conditions: Conditions, journal: Journal
) -> tuple[Account, list[ActionResult]]:
    """Admit and execute the actions in order; one result each, in the order of the input.

    Every fill is judged, so that what ends a phase or blocks the account also stops the actions behind it.
    An id that occurs twice is refused each time and not stored; one already answered is answered again.
    """
    keys = [action.key for action in actions]
    counts = Counter(keys)
    results: list[ActionResult] = []
    for key, action in zip(keys, actions, strict=True):
        if counts[key] > 1:
            refusal = Refusal("DUPLICATE_IN_BATCH", "This action id occurs more than once in the batch.")
            results.append(ActionResult(account.id, None, action, ActionStatus.REJECTED, refusal))
        elif stored := known.get(key):
            results.append(answer_again(stored, action))
        else:
            account, result = _execute(account, action, moment, conditions, journal)
            journal.actions.append(result)
            results.append(result)
    return account, results


def answer_again(stored: ActionResult, action: Action) -> ActionResult:
    """The stored answer to the same content; a conflict naming the field for another."""
    for field in fields(Action):
        if getattr(stored.content, field.name) != getattr(action, field.name):
            refusal = Refusal(
                "IDEMPOTENCY_CONFLICT",
                f"This action id was already used with another {field.name}.",
                getattr(stored.content, field.name),
                getattr(action, field.name),
            )
            return ActionResult(stored.account, None, action, ActionStatus.REJECTED, refusal)
    return replace(stored, replayed=True)


def _execute(
    account: Account, action: Action, moment: Moment, conditions: Conditions, journal: Journal
) -> tuple[Account, ActionResult]:
    ticket, at, batch = ticket_of(action, account, moment, conditions), moment.at, moment.batch
    told: Facts = {"run": action.run, "action": action.action_id}
    asked, seen = account.seq + 1, ticket.quote.facts if ticket.quote else {}

    def answer(
        status: ActionStatus, refusal: Refusal | None = None, order: Order | None = None, fill: Fill | None = None
    ) -> ActionResult:
        return ActionResult(account.id, asked, action, status, refusal, seen, order, fill, at, batch)

    try:
        agreed = admit(ticket)
    except GateRefused as refused:
        refusal = refused.refusal
        account = journal.append(account, Kind.ACTION_REJECTED, at, batch, told | {"code": refusal.code})
        return account, answer(ActionStatus.REJECTED, refusal)
    order = Order(
        account.id, asked + 1, action.symbol, ticket.side, ticket.verb, agreed.quantity, OrderStatus.WORKING,
        "ACTION", at, batch, asked, ticket.type, ticket.own_price, ticket.stop_loss, ticket.take_profit,
    )  # fmt: skip
    accepted = Kind.ACTION_ACCEPTED, told, ZERO
    if ticket.rests:
        return resting.place(account, order, journal, accepted), answer(ActionStatus.WORKING, order=order)
    assert ticket.quote, "the price gate has passed"
    causes = accepted, resting.placing(order)
    account, fill = book(account, order, agreed, ticket.quote, moment, conditions, journal, causes)
    account = judge(account, conditions, journal, at)
    order = journal.orders[account.id, order.seq]
    return account, answer(ActionStatus.EXECUTED, order=order, fill=fill)


def ticket_of(action: Action, account: Account, moment: Moment, conditions: Conditions) -> Ticket:
    """The action as the gates look at it, under the smaller limit of positions of policy and phase."""
    limit = conditions.terms.max_positions if conditions.terms else 0
    positions_max = min(account.policy.positions_max, limit or account.policy.positions_max)
    return Ticket(action, account, moment.market, conditions.catalogue, moment.at, positions_max)


def book(
    account: Account,
    order: Order,
    agreed: Deal,
    quote: Quote,
    moment: Moment,
    conditions: Conditions,
    journal: Journal,
    causes: Sequence[Entry] = (),
) -> tuple[Account, Fill]:
    """Fill an order: its cash, its position, and the orders that protect that; each a row of the ledger.

    `causes` are the rows that lead to it: an order that never rests is placed by them.
    """
    assert not causes or order.seq == account.seq + len(causes), "an order is named by the row that places it"
    at, batch = moment.at, moment.batch
    status = move("order", order.status, OrderStatus.FILLED)
    journal.orders[account.id, order.seq] = replace(order, status=status, quantity=agreed.quantity, ended_at=at)
    fill_seq, moved = account.seq + len(causes) + 1, agreed.realised - agreed.fee
    position = _after(agreed, order.verb, fill_seq + 1, at)
    holdings = _holding(account, position)
    worth = valuation.unrealised(account, moment.market, conditions.catalogue, holdings)
    account = journal.write(
        account,
        (
            *causes,
            (Kind.FILL, _fill_facts(order, agreed, quote), moved),
            (_kind(order.verb, position), _position_facts(position), ZERO),
        ),
        at,
        batch,
        realised=account.realised + agreed.realised,
        fees=account.fees + agreed.fee,
        orders=resting.without(account, order.seq),
        positions=holdings,
        **days.marked(account, account.cash + moved, worth),
    )
    journal.positions[account.id, position.seq] = position
    fill = Fill(
        account.id, fill_seq, order.seq, position.seq, position.symbol, position.side, order.verb, agreed.quantity,
        agreed.price, agreed.fee, agreed.rate, agreed.realised, at, batch, quote.source_time,
    )  # fmt: skip
    journal.fills.append(fill)
    return _protect(days.trade(account), order, position, moment, journal), fill


def _fill_facts(order: Order, agreed: Deal, quote: Quote) -> Facts:
    return {
        "symbol": order.symbol,
        "side": order.side,
        "verb": order.verb,
        "order": order.seq,
        "quantity": plain(agreed.quantity),
        "price": plain(agreed.price),
        "rate": plain(agreed.rate),
        "fee": plain(agreed.fee),
        "realised": plain(agreed.realised),
        "quote_time": quote.facts["source_time"],
    }


def _after(agreed: Deal, verb: Verb, seq: int, at: datetime) -> Position:
    """The holding as the deal left it; `seq` is that of the row which says so."""
    left, opens = agreed.after, verb is Verb.OPEN
    return replace(
        left,
        seq=seq if opens else left.seq,
        opened_at=at if opens else left.opened_at,
        realised=left.realised + agreed.realised,
        fees=left.fees + agreed.fee,
        closed_at=None if left.quantity else at,
    )


def _holding(account: Account, position: Position) -> Holdings:
    """The account's holdings with this one as it now is, behind the others."""
    key = position.symbol, position.side
    holdings = account.positions.copy()
    holdings.pop(key, None)
    if position.quantity:
        holdings[key] = position
    return holdings


def _kind(verb: Verb, position: Position) -> Kind:
    if not position.quantity:
        return Kind.POSITION_CLOSED
    return Kind.POSITION_OPENED if verb is Verb.OPEN else Kind.POSITION_CHANGED


def _position_facts(position: Position) -> Facts:
    return {
        "position": position.seq,
        "symbol": position.symbol,
        "side": position.side,
        "quantity": plain(position.quantity),
        "cost_basis": plain(position.cost_basis),
    }


def _protect(account: Account, order: Order, position: Position, moment: Moment, journal: Journal) -> Account:
    """Bring the filled order's stop-loss and take-profit to life; a position that has closed needs none any more."""
    at, batch = moment.at, moment.batch
    if not account.orders and order.stop_loss is None and order.take_profit is None:
        return account
    there = {old.type: old.seq for old in resting.protecting(account, position.symbol, position.side)}
    if not position.quantity:
        return resting.cancel(account, there.values(), "POSITION_CLOSED", at, batch, journal)
    wanted = {OrderType.STOP_LOSS: order.stop_loss, OrderType.TAKE_PROFIT: order.take_profit}
    for kind, price in wanted.items():
        if price is None:
            continue
        if kind in there:
            account = resting.cancel(account, [there[kind]], "REPLACED", at, batch, journal)
        protection = Order(
            account.id, account.seq + 1, position.symbol, position.side, Verb.CLOSE, position.quantity,
            OrderStatus.WORKING, "ACTION", at, batch, order.action_seq, kind, price,
        )  # fmt: skip
        account = resting.place(account, protection, journal)
    return account


def closing(account: Account, position: Position, moment: Moment, conditions: Conditions) -> Deal:
    """What closing all of a holding brings now."""
    policy, market, catalogue = account.policy, moment.market, conditions.catalogue
    return deal(
        position,
        adds=False,
        quantity=position.quantity,
        price=valuation.mark_price(market[position.symbol], position.side, policy.slippage),
        rate=valuation.rate_of(position.symbol, account.currency, market, catalogue),
        fee_bps=policy.fee_bps,
    )


def close_all(account: Account, reason: str, moment: Moment, conditions: Conditions, journal: Journal) -> Account:
    """Close every holding that has a fresh quote of its own symbol; the others wait for one."""
    for key in sorted(account.positions):
        position, quote = account.positions[key], moment.market[key[0]]
        if not valuation.is_fresh(quote.source_time, moment.at, account.policy):
            continue
        order = Order(
            account.id, account.seq + 1, position.symbol, position.side, Verb.CLOSE, position.quantity,
            OrderStatus.WORKING, reason, moment.at, moment.batch,
        )  # fmt: skip
        agreed = closing(account, position, moment, conditions)
        account, _ = book(account, order, agreed, quote, moment, conditions, journal, [resting.placing(order)])
    return account
