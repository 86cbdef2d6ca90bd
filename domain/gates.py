"""The safety gates, in the order of the policy; the first refusal wins, and equal to a limit passes.

`GATES` can be read aloud. A gate looks only at what the gates before it have made sure of; before them all the ticket
itself makes sure that the action is supported.
"""

from collections.abc import Callable
from datetime import datetime

from domain import valuation
from domain.bounds import COST_MAX, EQUITY_MAX, GROSS_MAX, QUANTITY_MAX
from domain.instruments import InstrumentStatus
from domain.lifecycles import AccountStatus
from domain.money import ZERO, divide, multiply, percent, remainder
from domain.orders import OrderType, Verb
from domain.positions import Side
from domain.tickets import GateRefused, Ticket, held

AT_REST = (AccountStatus.PENDING, AccountStatus.COMPLETED, AccountStatus.LIQUIDATED)
"""Nothing trades before an account is opened, or after it has ended."""


def account_is_open(ticket: Ticket) -> None:
    account = ticket.account
    trades = account.status not in AT_REST and (account.phase is None or account.phase.running)
    if account.status is not AccountStatus.ACTIVE:
        raise GateRefused("ACCOUNT_NOT_OPEN", "The account is not active.", "ACTIVE", account.status, recorded=trades)
    if account.read_only:
        raise GateRefused("ACCOUNT_NOT_OPEN", "The account is read-only.", observed="READ_ONLY", recorded=trades)
    if ticket.verb.adds and account.blocked_until and ticket.at < account.blocked_until:
        raise GateRefused(
            "ACCOUNT_NOT_OPEN", "The account may only reduce until its next day.", account.blocked_until.isoformat()
        )
    if account.phase is not None and not account.phase.running:
        observed = account.phase.status.name
        raise GateRefused("ACCOUNT_NOT_OPEN", "The challenge's phase does not run.", observed=observed, recorded=False)


def asset_is_allowed(ticket: Ticket) -> None:
    symbol = ticket.action.symbol
    instrument = ticket.catalogue.instruments.get(symbol)
    if instrument is None:
        raise GateRefused("ASSET_NOT_ALLOWED", "There is no such instrument.", observed=symbol[:64])
    if ticket.verb.adds and instrument.status is InstrumentStatus.RETIRED:
        raise GateRefused("ASSET_NOT_ALLOWED", "The instrument is retired: it can only be closed.", observed=symbol)
    if ticket.verb.adds and ticket.policy.symbols and symbol not in ticket.policy.symbols:
        allowed = ", ".join(ticket.policy.symbols)
        raise GateRefused("ASSET_NOT_ALLOWED", "The policy does not list the instrument.", allowed, symbol)


def price_is_there(ticket: Ticket) -> None:
    if ticket.quote is None:
        raise GateRefused("PRICE_MISSING", "The instrument has no quote.", observed=ticket.action.symbol)


def price_is_fresh(ticket: Ticket) -> None:
    price_is_there(ticket)
    assert ticket.quote, "it is there"
    if not valuation.is_fresh(ticket.quote.source_time, ticket.at, ticket.policy):
        raise _stale(ticket, ticket.action.symbol, ticket.quote.source_time)


def rate_is_fresh(ticket: Ticket) -> None:
    """What adds exposure needs a fresh rate; what lowers it takes the last good one."""
    source, target = ticket.instrument.quote_currency, ticket.account.currency
    rate = ticket.catalogue.rate(source, target, ticket.quoted)
    if rate is None:
        raise GateRefused("RATE_MISSING", "There is no conversion rate.", target, source)
    if ticket.verb.adds and rate.time and not valuation.is_fresh(rate.time, ticket.at, ticket.policy):
        raise _stale(ticket, rate.pairs, rate.time)


def _stale(ticket: Ticket, names: str, source_time: datetime) -> GateRefused:
    limit, age = ticket.policy.quote_age_seconds_max, int((ticket.at - source_time).total_seconds())
    return GateRefused("PRICE_STALE", f"The newest quote of {names} is too old, in seconds.", limit, age)


def direction_is_allowed(ticket: Ticket) -> None:
    allowed = ticket.policy.long_allowed if ticket.side is Side.LONG else ticket.policy.short_allowed
    if ticket.verb.adds and not allowed:
        raise GateRefused("DIRECTION_NOT_ALLOWED", "The policy forbids this direction.", observed=ticket.side)


def order_is_sound(ticket: Ticket) -> None:
    if not ticket.verb.adds:
        given = [name for name in ("stop_loss", "take_profit") if getattr(ticket.action, name) is not None]
        if given:
            observed = ", ".join(given)
            raise GateRefused("INVALID_ORDER", "Only OPEN, INCREASE and PROTECT carry these.", observed=observed)
    if (ticket.own_price is None) != (ticket.type is OrderType.MARKET):
        raise GateRefused("INVALID_ORDER", "A LIMIT or a STOP has a price, a MARKET order none.", observed=ticket.type)


def protection_is_named(ticket: Ticket) -> None:
    """A PROTECT names a stop-loss or a take-profit, and nothing else that only an order has."""
    action = ticket.action
    if ticket.type is not OrderType.MARKET or action.price is not None:
        observed = ticket.type if action.price is None else "price"
        raise GateRefused("INVALID_ORDER", "PROTECT carries a stop-loss and a take-profit alone.", observed=observed)
    if action.stop_loss is action.take_profit is None:
        raise GateRefused("INVALID_ORDER", "Give a stop-loss or a take-profit; NONE or 0 removes it.")


def protection_is_beyond(ticket: Ticket) -> None:
    """A stop-loss lies on the losing side of the price that would close the position, a take-profit on the winning."""
    if ticket.stop_loss is None and ticket.take_profit is None:
        return
    sign, price = ticket.side.sign, ticket.exit_price
    if ticket.stop_loss is not None and (price - ticket.stop_loss) * sign <= 0:
        raise GateRefused("STOP_LOSS_SIDE", "The stop-loss would close at once.", price, ticket.stop_loss)
    if ticket.take_profit is not None and (ticket.take_profit - price) * sign <= 0:
        raise GateRefused("TAKE_PROFIT_SIDE", "The take-profit would close at once.", price, ticket.take_profit)


def quantity_fits(ticket: Ticket) -> None:
    if ticket.position and ticket.quantity == ticket.position.quantity and not ticket.verb.adds:
        return  # the whole holding may always be closed, dust included
    step, least = ticket.instrument.quantity_step, ticket.instrument.quantity_min
    if ticket.quantity < least:
        raise GateRefused("QUANTITY_MIN", "The quantity is below the instrument's minimum.", least, ticket.quantity)
    if remainder(ticket.quantity, step):
        raise GateRefused("QUANTITY_STEP", "The quantity is not a multiple of the step.", step, ticket.quantity)


def notional_is_enough(ticket: Ticket) -> None:
    """An order is worth the instrument's least notional; the whole holding may always be closed, dust included."""
    least = ticket.instrument.notional_min
    if not least or (not ticket.verb.adds and ticket.quantity == ticket.holding.quantity):
        return
    notional = multiply(ticket.quantity, ticket.price)
    if notional < least:
        raise GateRefused(
            "NOTIONAL_MIN",
            "The order is worth less than the instrument's least notional; send a larger one, or close all of it.",
            least,
            notional,
        )


def position_matches(ticket: Ticket) -> None:
    if ticket.verb is Verb.OPEN:
        if ticket.position:
            there = ticket.position.quantity
            raise GateRefused("POSITION_EXISTS", "That side is open already; use INCREASE.", ZERO, there)
        return
    there = held(ticket).quantity
    if not ticket.verb.adds and ticket.quantity > there:
        raise GateRefused("EXCEEDS_POSITION", "More than is open.", there, ticket.quantity)
    if ticket.verb is Verb.CLOSE and ticket.quantity < there:
        raise GateRefused("INVALID_QUANTITY", "CLOSE closes all of it; use REDUCE.", there, ticket.quantity)


def exits_are_within(ticket: Ticket) -> None:
    """As many exits may rest as the policy lets orders rest; entries are not counted, so they keep no exit out."""
    if ticket.verb.adds or not ticket.rests:
        return
    working = ticket.account.orders.values()
    limit = ticket.policy.orders_max
    count = 1 + sum(not order.verb.adds and not order.type.protects for order in working)
    if count > limit:
        raise GateRefused("ORDERS_MAX", "Too many working orders.", limit, count)


def position_is_open(ticket: Ticket) -> None:
    held(ticket)


def amounts_are_storable(ticket: Ticket) -> None:
    """The position, all positions together and the equity stay so small that no accepted quote makes them overflow."""
    position, after = ticket.deal.after, ticket.after
    for name, value, limit in (
        ("position's quantity", position.quantity, QUANTITY_MAX),
        ("position's cost in the quote currency", position.cost_basis, COST_MAX),
        ("notional of all positions", after.gross, GROSS_MAX),
        ("equity, above or below zero", abs(after.equity), EQUITY_MAX),
    ):
        if value > limit:
            raise GateRefused("OUT_OF_RANGE", f"The {name} is more than the desk can hold.", limit, value)


def notional_is_within(ticket: Ticket) -> None:
    limit, notional = ticket.policy.notional_max, ticket.after.notional
    if notional > limit:
        raise GateRefused("NOTIONAL_MAX", "The position's notional is above the limit.", limit, notional)


def leverage_is_within(ticket: Ticket) -> None:
    limit, notional = ticket.after.carried, ticket.after.notional
    if notional > limit:
        raise GateRefused("LEVERAGE_MAX", "The position's notional is above leverage.", limit, notional)


def aggregate_leverage_is_within(ticket: Ticket) -> None:
    limit, gross = ticket.after.carried, ticket.after.gross
    if gross > limit:
        raise GateRefused("AGGREGATE_LEVERAGE_MAX", "All positions together are above leverage.", limit, gross)


def position_equity_is_within(ticket: Ticket) -> None:
    after = ticket.after
    limit = percent(after.equity, ticket.policy.position_equity_pct_max)
    if after.notional > limit:
        raise GateRefused("POSITION_EQUITY_MAX", "The position is too large for the equity.", limit, after.notional)


def margin_is_enough(ticket: Ticket) -> None:
    after = ticket.after
    limit, margin = min(after.balance, after.equity), divide(after.gross, ticket.policy.leverage_max)
    if margin > limit:
        raise GateRefused("INSUFFICIENT_MARGIN", "The margin needed exceeds what is there.", limit, margin)


def positions_are_within(ticket: Ticket) -> None:
    count = len(ticket.others) + 1
    if count > ticket.positions_max:
        raise GateRefused("POSITIONS_MAX", "Too many open positions.", ticket.positions_max, count)


def orders_are_within(ticket: Ticket) -> None:
    limit, count = ticket.policy.orders_max, ticket.orders_after
    if count > limit:
        raise GateRefused("ORDERS_MAX", "Too many working orders.", limit, count)


Gate = Callable[[Ticket], None]

GATES: tuple[Gate, ...] = (
    account_is_open,
    asset_is_allowed,
    price_is_fresh,
    rate_is_fresh,
    direction_is_allowed,
    order_is_sound,
    protection_is_beyond,
    quantity_fits,
    position_matches,
    notional_is_enough,
    exits_are_within,
)

# What an order is worth at its own price was judged when it was placed: a better one does not refuse it.
TRIGGERED_GATES: tuple[Gate, ...] = tuple(gate for gate in GATES if gate is not notional_is_enough)

# PROTECT trades nothing: it needs no fresh quote and no rate, and no limit forbids it.
PROTECT_GATES: tuple[Gate, ...] = (
    account_is_open,
    asset_is_allowed,
    price_is_there,
    protection_is_named,
    position_is_open,
    quantity_fits,
    position_matches,
    notional_is_enough,
    protection_is_beyond,
)

# Nothing may forbid lowering exposure, so REDUCE and CLOSE do not meet these.
EXPOSURE_GATES: tuple[Gate, ...] = (
    amounts_are_storable,
    notional_is_within,
    leverage_is_within,
    aggregate_leverage_is_within,
    position_equity_is_within,
    margin_is_enough,
    positions_are_within,
    orders_are_within,
)


def admit(ticket: Ticket, gates: tuple[Gate, ...] = GATES) -> Ticket:
    """The ticket, if every gate lets the action through; else GateRefused."""
    for gate in PROTECT_GATES if ticket.verb is Verb.PROTECT else gates:
        gate(ticket)
    if ticket.verb.adds:
        for gate in EXPOSURE_GATES:
            gate(ticket)
    return ticket
