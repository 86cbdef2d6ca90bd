"""A batch of decision actions, executed or refused one by one: the pure half of submitting them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal

from domain import days, protection, refusals, valuation, working_orders
from domain.accounts import Account, Journal
from domain.conversion import Rate
from domain.fills import Deal
from domain.frozen import replace
from domain.gates import admit
from domain.holdings import age_seconds
from domain.ledger import Entry, Facts, Kind
from domain.lifecycles import ActionStatus, OrderStatus
from domain.money import ZERO, plain
from domain.orders import Action, ActionResult, Fill, Order, RefusalReason, Verb
from domain.positions import Position
from domain.pre_trade import GateRefused, OrderTicket
from domain.quotes import Market, Quote
from domain.terms import Enforcement
from domain.verdicts import Conditions, judge_account

DUPLICATE = RefusalReason("DUPLICATE_IN_BATCH", "This action id occurs more than once in the batch.")
USED_BEFORE = RefusalReason("IDEMPOTENCY_CONFLICT", "This action id was already used with another {field}.")


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
    An id that occurs twice is refused each time and not stored; one already answered is answered again. A refusal that
    is not stored has no seq: its id may be sent again, and is then judged anew.
    """
    keys = [action.key for action in actions]
    repeated = _repeated(keys)
    results: list[ActionResult] = []
    for key, action in zip(keys, actions, strict=True):
        if key in repeated:
            refusal = DUPLICATE.refusal()
            results.append(ActionResult(account.id, None, action, ActionStatus.REJECTED, refusal))
        elif stored := known.get(key):
            results.append(answer_again(stored, action))
        else:
            account, result = _execute(account, action, moment, conditions, journal)
            if result.seq is not None:
                journal.actions.append(result)
            results.append(result)
    return account, results


def _repeated(keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the values that occur more than once."""
    seen: set[tuple[str, str]] = set()
    again: set[tuple[str, str]] = set()
    for key in keys:
        (again if key in seen else seen).add(key)
    return again


def answer_again(stored: ActionResult, action: Action) -> ActionResult:
    """Return the stored answer to the same content; a conflict naming the field for another."""
    for field in fields(Action):
        if getattr(stored.content, field.name) != getattr(action, field.name):
            before, now = getattr(stored.content, field.name), getattr(action, field.name)
            refusal = USED_BEFORE.refusal(before, now, field=field.name)
            return ActionResult(stored.account, None, action, ActionStatus.REJECTED, refusal)
    return replace(stored, replayed=True)


def _execute(
    account: Account, action: Action, moment: Moment, conditions: Conditions, journal: Journal
) -> tuple[Account, ActionResult]:
    seq, quote, at, batch = account.seq + 1, moment.market.get(action.symbol), moment.at, moment.batch
    source: Facts = {"run": action.run, "action": action.action_id}
    seen = quote.facts if quote else {}
    refusal, order, fill = None, None, None
    try:
        ticket = admit(ticket_of(action, account, moment, conditions))
    except GateRefused as refused:
        status, refusal = ActionStatus.REJECTED, refused.refusal
        account, is_stored = _counted(account, refused, at, conditions)
        if not is_stored:
            return account, ActionResult(account.id, None, action, status, refusal, seen, None, None, at, batch)
        account = journal.append(account, Kind.ACTION_REJECTED, at, batch, source | {"code": refusal.code})
    else:
        status = ActionStatus.EXECUTED
        if ticket.verb is Verb.PROTECT:
            account = journal.append(account, Kind.ACTION_ACCEPTED, at, batch, source)
            account, order = protection.amend(account, ticket, seq, at, batch, journal)
        else:
            accepted = Kind.ACTION_ACCEPTED, source, ZERO
            account, order, fill = _deal(account, ticket, accepted, moment, conditions, journal)
            status = ActionStatus.WORKING if fill is None else status
    return account, ActionResult(account.id, seq, action, status, refusal, seen, order, fill, at, batch)


def _counted(account: Account, refused: GateRefused, at: datetime, conditions: Conditions) -> tuple[Account, bool]:
    """Return the account with the refusal counted, and whether the refusal is to be stored."""
    if not refused.recorded:
        return account, False
    phase = account.phase
    ends_at = phase.day_ends_at if phase is not None and phase.running else None
    day, is_stored = refusals.counted(account.refusals, account.seq + 1, at, ends_at, conditions.stored_refusals_max)
    return replace(account, refusals=day), is_stored


def _deal(
    account: Account, ticket: OrderTicket, accepted: Entry, moment: Moment, conditions: Conditions, journal: Journal
) -> tuple[Account, Order, Fill | None]:
    """Return the order of an admitted action, working or filled at once."""
    seq, at, batch = account.seq + 1, moment.at, moment.batch
    status, ended_at = (OrderStatus.WORKING, None) if ticket.rests else (OrderStatus.FILLED, at)
    order = Order(
        account.id, seq + 1, ticket.action.symbol, ticket.side, ticket.verb, ticket.quantity, status,
        "ACTION", at, batch, seq, ticket.type, ticket.own_price, ticket.stop_loss, ticket.take_profit, ended_at,
    )  # fmt: skip
    if ticket.rests:
        return working_orders.place(account, order, journal, accepted), order, None
    causes = accepted, working_orders.placing(order)
    account, fill = book(account, order, ticket, moment, conditions, journal, causes)
    return judge_account(account, moment.market, conditions, journal, at), order, fill


def ticket_of(action: Action, account: Account, moment: Moment, conditions: Conditions) -> OrderTicket:
    """Return the action as the gates look at it, under the smaller limit of positions of policy and phase."""
    positions_max, terms = account.policy.positions_max, conditions.terms
    if terms and terms.max_positions and terms.positions.enforced is Enforcement.GATE:
        positions_max = min(positions_max, terms.max_positions)
    return OrderTicket(action, account, moment.market, conditions.catalogue, moment.at, positions_max)


def book(
    account: Account,
    order: Order,
    ticket: OrderTicket,
    moment: Moment,
    conditions: Conditions,
    journal: Journal,
    causes: Sequence[Entry] = (),
) -> tuple[Account, Fill]:
    """Book a filled order by its ticket: cash, position, and the orders that protect that; each a row of the ledger.

    `causes` are the rows that lead to it: an order that never rests is placed by them.
    """
    assert order.status is OrderStatus.FILLED, "what is booked is filled"
    assert not causes or order.seq == account.seq + len(causes), "an order is named by the row that places it"
    agreed, rate, quote, at, batch = ticket.deal, ticket.rate, ticket.quote, moment.at, moment.batch
    assert quote, "the price gate has passed"
    journal.orders[account.id, order.seq] = order
    fill_seq, moved = account.seq + len(causes) + 1, agreed.realised - agreed.fee
    position = _after(agreed, order.verb, fill_seq + 1, at)
    others = ticket.others
    holdings = {**others, (position.symbol, position.side): position} if position.quantity else others
    account = journal.write(
        account,
        (
            *causes,
            (Kind.FILL, _fill_facts(order, ticket, quote), moved),
            (_kind(order.verb, position), _position_facts(position), ZERO),
        ),
        at,
        batch,
        realised=account.realised + agreed.realised,
        fees=account.fees + agreed.fee,
        orders=working_orders.without(account, order.seq),
        positions=holdings,
        **days.marked(account, account.cash + moved, ticket.unrealised),
    )
    journal.positions[account.id, position.seq] = position
    fill = Fill(
        account.id, fill_seq, order.seq, position.seq, position.symbol, position.side, order.verb, agreed.quantity,
        agreed.price, agreed.fee, agreed.rate, agreed.realised, at, batch, quote.source_time,
        rate_time=rate.time, rate_pairs=rate.pairs, rate_stale=not valuation.is_fresh(rate.time, at, account.policy),
    )  # fmt: skip
    journal.fills.append(fill)
    account = days.trade(account, order.verb, conditions.terms)
    return protection.update_exits(account, order, position, at, batch, journal), fill


def _fill_facts(order: Order, ticket: OrderTicket, quote: Quote) -> Facts:
    agreed, rate = ticket.deal, ticket.rate
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
        **(_rate_facts(rate, rate.time, ticket) if rate.time else {}),
    }


def _rate_facts(rate: Rate, time: datetime, ticket: OrderTicket) -> Facts:
    """The quotes that converted a fill. A fill that lowers exposure may rest on an old rate, which is flagged."""
    return {
        "rate_pairs": rate.pairs,
        "rate_time": time.isoformat(),
        "rate_age_seconds": age_seconds(time, ticket.at),
        "rate_stale": not valuation.is_fresh(time, ticket.at, ticket.policy),
    }


def _after(agreed: Deal, verb: Verb, seq: int, at: datetime) -> Position:
    """Return the holding as the deal left it; `seq` is that of the row which says so."""
    left = agreed.after
    if verb is Verb.OPEN:
        return replace(left, seq=seq, opened_at=at)
    return left if left.quantity else replace(left, closed_at=at)


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


def closing(
    account: Account, position: Position, moment: Moment, conditions: Conditions, part: Decimal | None = None
) -> OrderTicket:
    """Return the action that closes a position or a part of it now. It passes no gate: nothing may prevent it."""
    if part is None or part >= position.quantity:
        action = Action("", "", Verb.CLOSE, position.symbol, position.side)
    else:
        action = Action("", "", Verb.REDUCE, position.symbol, position.side, quantity=plain(part))
    return ticket_of(action, account, moment, conditions)


def close_day(account: Account, through: int, moment: Moment, conditions: Conditions, journal: Journal) -> Account:
    """Close what a finding with the consequence CLOSE_DAY found open, as far as it has fresh quotes, and judge it.

    `through` is the ledger row that the finding rests on: what is opened on a later day stays.
    """
    before = account
    account = close_all(account, "CLOSE_DAY", moment, conditions, journal, through)
    return account if account is before else judge_account(account, moment.market, conditions, journal, moment.at)


def close_all(
    account: Account,
    reason: str,
    moment: Moment,
    conditions: Conditions,
    journal: Journal,
    through: int | None = None,
) -> Account:
    """Close every holding that has a fresh quote of its own symbol; the others wait for one.

    With `through` only those opened at that ledger row or before.
    """
    for key in sorted(account.positions):
        position, quote = account.positions[key], moment.market[key[0]]
        if through is not None and position.seq > through:
            continue
        if not valuation.is_fresh(quote.source_time, moment.at, account.policy):
            continue
        order = Order(
            account.id, account.seq + 1, position.symbol, position.side, Verb.CLOSE, position.quantity,
            OrderStatus.FILLED, reason, moment.at, moment.batch, ended_at=moment.at,
        )  # fmt: skip
        ticket = closing(account, position, moment, conditions)
        account, _ = book(account, order, ticket, moment, conditions, journal, [working_orders.placing(order)])
    return account
