"""The pre-trade gates: the checks that an action must pass before it is executed.

`GATES` lists them in the order of the policy, each with the verbs it applies to; the first refusal wins, and a value
equal to its limit passes. A gate relies on the gates before it; before all of them the ticket itself has made sure
that the action is supported. `EXPOSURE_LIMITS` are the limits on what an account comes to: they refuse only what adds
exposure, and the decision context reads the same rows for what is left of each.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from domain import valuation
from domain.bounds import COST_MAX, EQUITY_MAX, GROSS_MAX, QUANTITY_MAX
from domain.instruments import InstrumentStatus
from domain.lifecycles import AccountStatus
from domain.money import ZERO, divide, multiply, percent, remainder
from domain.orders import OrderType, RefusalReason, Verb
from domain.positions import Side
from domain.pre_trade import GateRefused, OrderTicket, RiskFigures

AT_REST = (AccountStatus.PENDING, AccountStatus.COMPLETED, AccountStatus.LIQUIDATED)
"""Nothing trades before an account is opened, or after it has ended."""

NOT_ACTIVE = RefusalReason("ACCOUNT_NOT_OPEN", "The account is not active.")
READ_ONLY = RefusalReason("ACCOUNT_NOT_OPEN", "The account is read-only.")
BLOCKED = RefusalReason("ACCOUNT_NOT_OPEN", "The account may only reduce until its next day.")
PHASE_ENDED = RefusalReason("ACCOUNT_NOT_OPEN", "The challenge's phase does not run.", recorded=False)


def account_is_open(ticket: OrderTicket) -> None:
    account = ticket.account
    trades = account.status not in AT_REST and (account.phase is None or account.phase.running)
    if account.status is not AccountStatus.ACTIVE:
        raise GateRefused(NOT_ACTIVE, "ACTIVE", account.status, recorded=trades)
    if account.read_only:
        raise GateRefused(READ_ONLY, observed="READ_ONLY", recorded=trades)
    if ticket.verb.adds and account.blocked_until and ticket.at < account.blocked_until:
        raise GateRefused(BLOCKED, account.blocked_until.isoformat())
    if account.phase is not None and not account.phase.running:
        raise GateRefused(PHASE_ENDED, observed=account.phase.status.name)


UNKNOWN_INSTRUMENT = RefusalReason("ASSET_NOT_ALLOWED", "There is no such instrument.")
RETIRED = RefusalReason("ASSET_NOT_ALLOWED", "The instrument is retired: it can only be closed.")
NOT_LISTED = RefusalReason("ASSET_NOT_ALLOWED", "The policy does not list the instrument.")


def asset_is_allowed(ticket: OrderTicket) -> None:
    symbol = ticket.action.symbol
    instrument = ticket.catalogue.instruments.get(symbol)
    if instrument is None:
        raise GateRefused(UNKNOWN_INSTRUMENT, observed=symbol[:64])
    if ticket.verb.adds and instrument.status is InstrumentStatus.RETIRED:
        raise GateRefused(RETIRED, observed=symbol)
    if ticket.verb.adds and ticket.policy.symbols and symbol not in ticket.policy.symbols:
        raise GateRefused(NOT_LISTED, ", ".join(ticket.policy.symbols), symbol)


NO_QUOTE = RefusalReason("PRICE_MISSING", "The instrument has no quote.")
STALE = RefusalReason("PRICE_STALE", "The newest quote of {symbols} is too old, in seconds.")
NO_RATE = RefusalReason("RATE_MISSING", "There is no conversion rate.")


def price_exists(ticket: OrderTicket) -> None:
    if ticket.quote is None:
        raise GateRefused(NO_QUOTE, observed=ticket.action.symbol)


def price_is_fresh(ticket: OrderTicket) -> None:
    price_exists(ticket)
    assert ticket.quote, "it exists"
    if not valuation.is_fresh(ticket.quote.source_time, ticket.at, ticket.policy):
        raise _stale(ticket, ticket.action.symbol, ticket.quote.source_time)


def rate_is_fresh(ticket: OrderTicket) -> None:
    """An action that adds exposure needs a fresh rate; one that lowers it uses the last good rate."""
    source, target = ticket.instrument.quote_currency, ticket.account.currency
    rate = ticket.catalogue.rate(source, target, ticket.quoted)
    if rate is None:
        raise GateRefused(NO_RATE, target, source)
    if ticket.verb.adds and rate.time and not valuation.is_fresh(rate.time, ticket.at, ticket.policy):
        raise _stale(ticket, rate.pairs, rate.time)


def _stale(ticket: OrderTicket, symbols: str, source_time: datetime) -> GateRefused:
    age = int((ticket.at - source_time).total_seconds())
    return GateRefused(STALE, ticket.policy.quote_age_seconds_max, age, symbols=symbols)


DIRECTION_FORBIDDEN = RefusalReason("DIRECTION_NOT_ALLOWED", "The policy forbids this direction.")


def direction_is_allowed(ticket: OrderTicket) -> None:
    allowed = ticket.policy.long_allowed if ticket.side is Side.LONG else ticket.policy.short_allowed
    if not allowed:
        raise GateRefused(DIRECTION_FORBIDDEN, observed=ticket.side)


PROTECTION_OF_EXIT = RefusalReason("INVALID_ORDER", "Only OPEN, INCREASE and PROTECT carry these.")
PRICE_OF_ORDER = RefusalReason("INVALID_ORDER", "A LIMIT or a STOP has a price, a MARKET order none.")


def order_is_sound(ticket: OrderTicket) -> None:
    if not ticket.verb.adds:
        names = [name for name in ("stop_loss", "take_profit") if getattr(ticket.action, name) is not None]
        if names:
            raise GateRefused(PROTECTION_OF_EXIT, observed=", ".join(names))
    if (ticket.own_price is None) != (ticket.type is OrderType.MARKET):
        raise GateRefused(PRICE_OF_ORDER, observed=ticket.type)


PROTECT_WITH_ORDER = RefusalReason("INVALID_ORDER", "PROTECT carries a stop-loss and a take-profit alone.")
PROTECT_OF_NOTHING = RefusalReason("INVALID_ORDER", "Give a stop-loss or a take-profit; NONE or 0 removes it.")


def protection_is_named(ticket: OrderTicket) -> None:
    """A PROTECT names a stop-loss or a take-profit, and no field that belongs to orders only."""
    action = ticket.action
    if ticket.type is not OrderType.MARKET or action.price is not None:
        raise GateRefused(PROTECT_WITH_ORDER, observed=ticket.type if action.price is None else "price")
    if action.stop_loss is action.take_profit is None:
        raise GateRefused(PROTECT_OF_NOTHING)


STOP_LOSS_SIDE = RefusalReason("STOP_LOSS_SIDE", "The stop-loss would close at once.")
TAKE_PROFIT_SIDE = RefusalReason("TAKE_PROFIT_SIDE", "The take-profit would close at once.")


def protection_is_beyond(ticket: OrderTicket) -> None:
    """A stop-loss lies on the losing side of the price that would close the position, a take-profit on the winning."""
    if ticket.stop_loss is None and ticket.take_profit is None:
        return
    sign, price = ticket.side.sign, ticket.exit_price
    if ticket.stop_loss is not None and (price - ticket.stop_loss) * sign <= 0:
        raise GateRefused(STOP_LOSS_SIDE, price, ticket.stop_loss)
    if ticket.take_profit is not None and (ticket.take_profit - price) * sign <= 0:
        raise GateRefused(TAKE_PROFIT_SIDE, price, ticket.take_profit)


QUANTITY_MIN = RefusalReason("QUANTITY_MIN", "The quantity is below the instrument's minimum.")
QUANTITY_STEP = RefusalReason("QUANTITY_STEP", "The quantity is not a multiple of the step.")


def quantity_fits(ticket: OrderTicket) -> None:
    if ticket.position and ticket.quantity == ticket.position.quantity and not ticket.verb.adds:
        return  # all of a position may always be closed, dust included
    step, least = ticket.instrument.quantity_step, ticket.instrument.quantity_min
    if ticket.quantity < least:
        raise GateRefused(QUANTITY_MIN, least, ticket.quantity)
    if remainder(ticket.quantity, step):
        raise GateRefused(QUANTITY_STEP, step, ticket.quantity)


NOTIONAL_MIN = RefusalReason(
    "NOTIONAL_MIN",
    "The order is worth less than the instrument's least notional; send a larger one, or close all of it.",
)


def notional_is_enough(ticket: OrderTicket) -> None:
    """An order is worth the instrument's least notional; all of a position may always be closed, dust included."""
    least = ticket.instrument.notional_min
    if not least or (not ticket.verb.adds and ticket.quantity == ticket.holding.quantity):
        return
    notional = multiply(ticket.quantity, ticket.price)
    if notional < least:
        raise GateRefused(NOTIONAL_MIN, least, notional)


POSITION_EXISTS = RefusalReason("POSITION_EXISTS", "That side is open already; use INCREASE.")
EXCEEDS_POSITION = RefusalReason("EXCEEDS_POSITION", "More than is open.")
CLOSE_OF_PART = RefusalReason("INVALID_QUANTITY", "CLOSE closes all of it; use REDUCE.")


def position_matches(ticket: OrderTicket) -> None:
    if ticket.verb is Verb.OPEN:
        if ticket.position:
            raise GateRefused(POSITION_EXISTS, ZERO, ticket.position.quantity)
        return
    open_quantity = ticket.holding.quantity
    if not ticket.verb.adds and ticket.quantity > open_quantity:
        raise GateRefused(EXCEEDS_POSITION, open_quantity, ticket.quantity)
    if ticket.verb is Verb.CLOSE and ticket.quantity < open_quantity:
        raise GateRefused(CLOSE_OF_PART, open_quantity, ticket.quantity)


TOO_MANY_ORDERS = RefusalReason("ORDERS_MAX", "Too many working orders.")


def exits_are_within(ticket: OrderTicket) -> None:
    """Working exits are limited to the policy's number of working orders; entries do not count against them."""
    if not ticket.rests:
        return
    working = ticket.account.orders.values()
    limit = ticket.policy.orders_max
    count = 1 + sum(not order.verb.adds and not order.type.protects for order in working)
    if count > limit:
        raise GateRefused(TOO_MANY_ORDERS, limit, count)


def position_is_open(ticket: OrderTicket) -> None:
    _ = ticket.holding


TOO_LARGE = RefusalReason("OUT_OF_RANGE", "The {figure} is more than the desk can hold.")


def amounts_are_storable(ticket: OrderTicket) -> None:
    """The position, all positions together and the equity stay so small that no accepted quote makes them overflow."""
    position, after = ticket.deal.after, ticket.after
    for figure, value, limit in (
        ("position's quantity", position.quantity, QUANTITY_MAX),
        ("position's cost in the quote currency", position.cost_basis, COST_MAX),
        ("notional of all positions", after.gross, GROSS_MAX),
        ("equity, above or below zero", abs(after.equity), EQUITY_MAX),
    ):
        if value > limit:
            raise GateRefused(TOO_LARGE, limit, value, figure=figure)


class GateUnit(StrEnum):
    """The unit that a gate counts in."""

    MONEY = "MONEY"
    COUNT = "COUNT"


class ExposureLimit(NamedTuple):
    """A limit on exposure: an action that adds exposure passes while the observed value is at most the limit."""

    reason: RefusalReason
    unit: GateUnit
    limit: Callable[[RiskFigures], Decimal | int]
    observed: Callable[[RiskFigures], Decimal | int]

    def headroom(self, figures: RiskFigures) -> Decimal | int:
        """Return what is left of the limit, negative beyond it."""
        return self.limit(figures) - self.observed(figures)


TOO_MANY_POSITIONS = RefusalReason("POSITIONS_MAX", "Too many open positions.")

EXPOSURE_LIMITS: tuple[ExposureLimit, ...] = (
    ExposureLimit(
        RefusalReason("NOTIONAL_MAX", "The position's notional is above the limit."),
        GateUnit.MONEY,
        limit=lambda figures: figures.policy.notional_max,
        observed=lambda figures: figures.notional,
    ),
    ExposureLimit(
        RefusalReason("LEVERAGE_MAX", "The position's notional is above leverage."),
        GateUnit.MONEY,
        limit=lambda figures: multiply(figures.policy.leverage_max, figures.equity),
        observed=lambda figures: figures.notional,
    ),
    ExposureLimit(
        RefusalReason("AGGREGATE_LEVERAGE_MAX", "All positions together are above leverage."),
        GateUnit.MONEY,
        limit=lambda figures: multiply(figures.policy.leverage_max, figures.equity),
        observed=lambda figures: figures.gross,
    ),
    ExposureLimit(
        RefusalReason("POSITION_EQUITY_MAX", "The position is too large for the equity."),
        GateUnit.MONEY,
        limit=lambda figures: percent(figures.equity, figures.policy.position_equity_pct_max),
        observed=lambda figures: figures.notional,
    ),
    ExposureLimit(
        RefusalReason("INSUFFICIENT_MARGIN", "The margin needed exceeds what is there."),
        GateUnit.MONEY,
        limit=lambda figures: min(figures.balance, figures.equity),
        observed=lambda figures: divide(figures.gross, figures.policy.leverage_max),
    ),
    ExposureLimit(
        TOO_MANY_POSITIONS,
        GateUnit.COUNT,
        limit=lambda figures: figures.positions_max,
        observed=lambda figures: figures.positions,
    ),
    ExposureLimit(
        TOO_MANY_ORDERS,
        GateUnit.COUNT,
        limit=lambda figures: figures.policy.orders_max,
        observed=lambda figures: figures.orders,
    ),
)


def exposure_is_within(ticket: OrderTicket) -> None:
    figures = ticket.after
    for reason, _, limit, observed in EXPOSURE_LIMITS:
        most, amount = limit(figures), observed(figures)
        if amount > most:
            raise GateRefused(reason, most, amount)


class Gate(NamedTuple):
    """A check, the verbs it applies to, and whether it is repeated when a working order's price is reached."""

    check: Callable[[OrderTicket], None]
    verbs: frozenset[Verb]
    at_trigger: bool = True


EVERY = frozenset(Verb)
PROTECTS = frozenset({Verb.PROTECT})  # trades nothing: it needs no fresh quote and no rate, and no limit forbids it
TRADES = EVERY - PROTECTS
ADDS = frozenset(verb for verb in Verb if verb.adds)
LOWERS = TRADES - ADDS  # nothing may forbid lowering exposure, so these meet no exposure limit

GATES: tuple[Gate, ...] = (
    Gate(account_is_open, EVERY),
    Gate(asset_is_allowed, EVERY),
    Gate(price_exists, PROTECTS),
    Gate(price_is_fresh, TRADES),
    Gate(rate_is_fresh, TRADES),
    Gate(direction_is_allowed, ADDS),
    Gate(order_is_sound, TRADES),
    Gate(protection_is_beyond, TRADES),
    Gate(protection_is_named, PROTECTS),
    Gate(position_is_open, PROTECTS),
    Gate(quantity_fits, EVERY),
    Gate(position_matches, EVERY),
    Gate(notional_is_enough, EVERY, at_trigger=False),  # judged when it was placed: a better price does not refuse it
    Gate(protection_is_beyond, PROTECTS),  # once its quantity is known to be open
    Gate(exits_are_within, LOWERS),
    Gate(amounts_are_storable, ADDS),
    Gate(exposure_is_within, ADDS),
)

_PLACED = {verb: tuple(gate.check for gate in GATES if verb in gate.verbs) for verb in Verb}
_TRIGGERED = {verb: tuple(gate.check for gate in GATES if verb in gate.verbs and gate.at_trigger) for verb in Verb}


def admit(ticket: OrderTicket, *, triggered: bool = False) -> OrderTicket:
    """Return the ticket if every gate lets the action through; else raise GateRefused.

    `triggered`: it is a resting order whose price has been reached.
    """
    for check in (_TRIGGERED if triggered else _PLACED)[ticket.verb]:
        check(ticket)
    return ticket
