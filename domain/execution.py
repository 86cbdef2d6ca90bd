"""A batch of decision actions, executed or refused one by one: the pure half of submitting them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

from domain import days, valuation
from domain.accounts import Account, Journal
from domain.fills import Deal, deal
from domain.gates import GateRefused, Ticket, admit
from domain.judging import Conditions, judge
from domain.ledger import Facts, Kind
from domain.lifecycles import ActionStatus, OrderStatus
from domain.money import plain
from domain.orders import Action, ActionResult, Fill, Order, Refusal, Verb
from domain.positions import Position
from domain.quotes import Market, Quote


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
    counts = Counter(action.key for action in actions)
    results: list[ActionResult] = []
    for action in actions:
        if counts[action.key] > 1:
            refusal = Refusal("DUPLICATE_IN_BATCH", "This action id occurs more than once in the batch.")
            results.append(ActionResult(account.id, None, action, ActionStatus.REJECTED, refusal))
        elif stored := known.get(action.key):
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
    limit = conditions.terms.max_positions if conditions.terms else 0
    positions_max = min(account.policy.positions_max, limit or account.policy.positions_max)
    ticket = Ticket(action, account, moment.market, conditions.catalogue, moment.at, positions_max)
    facts: Facts = {"run": action.run, "action": action.action_id}
    try:
        agreed = admit(ticket)
    except GateRefused as refused:
        refusal = refused.refusal
        account = journal.append(account, Kind.ACTION_REJECTED, moment.at, moment.batch, facts | {"code": refusal.code})
        seen = _quote_facts(moment.market.get(action.symbol))
        return account, ActionResult(
            account.id, account.seq, action, ActionStatus.REJECTED, refusal, seen, None, None, moment.at, moment.batch
        )
    account = journal.append(account, Kind.ACTION_ACCEPTED, moment.at, moment.batch, facts)
    seq, quote = account.seq, ticket.quote
    assert quote, "the price gate has passed"
    account, fill = book(account, ticket.verb, agreed, quote, "ACTION", moment, conditions, journal, seq)
    account = judge(account, conditions, journal, moment.at)
    return account, ActionResult(
        account.id,
        seq,
        action,
        ActionStatus.EXECUTED,
        None,
        _quote_facts(quote),
        fill.order_seq,
        fill,
        moment.at,
        moment.batch,
    )


def _quote_facts(quote: Quote | None) -> Facts:
    if quote is None:
        return {}
    return {"bid": plain(quote.bid), "ask": plain(quote.ask), "source_time": quote.source_time.isoformat()}


def book(
    account: Account,
    verb: Verb,
    agreed: Deal,
    quote: Quote,
    reason: str,
    moment: Moment,
    conditions: Conditions,
    journal: Journal,
    action_seq: int | None = None,
) -> tuple[Account, Fill]:
    """Book a deal: order, fill with its cash, position; three ledger rows."""
    after, at, batch = agreed.after, moment.at, moment.batch
    what: Facts = {"symbol": after.symbol, "side": after.side.value, "verb": verb.value}
    placed = what | {"quantity": plain(agreed.quantity), "reason": reason}
    account = journal.append(account, Kind.ORDER_PLACED, at, batch, placed)
    order_seq = account.seq
    journal.orders[account.id, order_seq] = Order(
        account.id, order_seq, after.symbol, after.side, verb, agreed.quantity, OrderStatus.FILLED, reason, at, batch,
        action_seq, ended_at=at,
    )  # fmt: skip
    filled = what | {
        "order": order_seq,
        "quantity": plain(agreed.quantity),
        "price": plain(agreed.price),
        "rate": plain(agreed.rate),
        "fee": plain(agreed.fee),
        "realised": plain(agreed.realised),
        "quote_time": quote.source_time.isoformat(),
    }
    account = journal.append(
        account,
        Kind.FILL,
        at,
        batch,
        filled,
        agreed.realised - agreed.fee,
        realised=account.realised + agreed.realised,
        fees=account.fees + agreed.fee,
    )
    fill_seq = account.seq
    account, position = _hold(account, verb, agreed, at, batch, journal)
    fill = Fill(
        account.id, fill_seq, order_seq, position.seq, after.symbol, after.side, verb, agreed.quantity, agreed.price,
        agreed.fee, agreed.rate, agreed.realised, at, batch, quote.source_time,
    )  # fmt: skip
    journal.fills.append(fill)
    account = replace(account, unrealised=valuation.unrealised(account, moment.market, conditions.catalogue))
    return days.trade(days.observe(account)), fill


def _hold(
    account: Account, verb: Verb, agreed: Deal, at: datetime, batch: int, journal: Journal
) -> tuple[Account, Position]:
    """Keep the holding as the deal left it, and say so in the ledger."""
    after = replace(agreed.after, realised=agreed.after.realised + agreed.realised, fees=agreed.after.fees + agreed.fee)
    if verb is Verb.OPEN:
        after = replace(after, seq=account.seq + 1, opened_at=at)
    holdings = {key: held for key, held in account.positions.items() if key != (after.symbol, after.side)}
    if after.quantity:
        holdings[after.symbol, after.side] = after
    kind = Kind.POSITION_OPENED if verb is Verb.OPEN else Kind.POSITION_CHANGED
    facts: Facts = {
        "position": after.seq,
        "symbol": after.symbol,
        "side": after.side.value,
        "quantity": plain(after.quantity),
        "cost_basis": plain(after.cost_basis),
    }
    kind = kind if after.quantity else Kind.POSITION_CLOSED
    account = journal.append(account, kind, at, batch, facts, positions=holdings)
    journal.positions[account.id, after.seq] = after
    return account, after


def close_all(account: Account, reason: str, moment: Moment, conditions: Conditions, journal: Journal) -> Account:
    """Close every holding that has a fresh quote of its own symbol; the others wait for one."""
    for key in sorted(account.positions):
        position, quote = account.positions[key], moment.market[key[0]]
        if not valuation.is_fresh(quote.source_time, moment.at, account.policy):
            continue
        agreed = deal(
            position,
            adds=False,
            quantity=position.quantity,
            price=valuation.mark_price(quote, position.side, account.policy.slippage),
            rate=valuation.rate_of(position.symbol, account.currency, moment.market, conditions.catalogue),
            fee_bps=account.policy.fee_bps,
        )
        account, _ = book(account, Verb.CLOSE, agreed, quote, reason, moment, conditions, journal)
    return account
