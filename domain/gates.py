"""The safety gates, in the order of the policy; the first refusal wins, and equal to a limit passes.

`GATES` can be read aloud. A gate looks only at what the gates before it have made sure of, so a ticket computes
price, size and exposure when they are first asked for.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from domain import valuation
from domain.accounts import Account
from domain.fills import Deal, deal
from domain.instruments import Catalogue, Instrument
from domain.lifecycles import AccountStatus
from domain.money import ZERO, NotAnAmount, divide, floor_step, multiply, parse, percent, plain
from domain.orders import Action, Refusal, Verb
from domain.positions import Position, Side
from domain.quotes import Market, Quote


class GateRefused(Exception):
    """An action is stopped at a gate: `refusal` is stored and answered."""

    def __init__(self, code: str, message: str, limit: object = None, observed: object = None) -> None:
        super().__init__(code)
        text = [plain(v) if isinstance(v, Decimal) else None if v is None else str(v) for v in (limit, observed)]
        self.refusal = Refusal(code, message, text[0], text[1])


class Ticket:
    """One action against one account at one market, with what follows from it."""

    def __init__(
        self,
        action: Action,
        account: Account,
        market: Market,
        catalogue: Catalogue,
        at: datetime,
        positions_max: int,
    ) -> None:
        self.action, self.account, self.market = action, account, market
        self.catalogue, self.at, self.policy = catalogue, at, account.policy
        self.positions_max = positions_max  # the smaller of policy and phase

    @cached_property
    def verb(self) -> Verb:
        return Verb(self.action.action)

    @cached_property
    def side(self) -> Side:
        return Side(self.action.side)

    @cached_property
    def instrument(self) -> Instrument:
        return self.catalogue.instruments[self.action.symbol]

    @cached_property
    def quote(self) -> Quote | None:
        return self.market.get(self.action.symbol)

    @cached_property
    def position(self) -> Position | None:
        return self.account.positions.get((self.action.symbol, self.side))

    @cached_property
    def price(self) -> Decimal:
        assert self.quote, "the price gate has passed"
        buys = (self.side is Side.LONG) == self.verb.adds
        return valuation.deal_price(self.quote, buys, self.policy.slippage)

    @cached_property
    def rate(self) -> Decimal:
        return valuation.rate_of(self.action.symbol, self.account.currency, self.market, self.catalogue)

    @cached_property
    def quantity(self) -> Decimal:
        """The size asked for, in the instrument's units. Raises GateRefused where it cannot be read."""
        return _size(self)

    @cached_property
    def deal(self) -> Deal:
        before = self.position or Position(0, self.action.symbol, self.side, self.at)
        return deal(
            before,
            adds=self.verb.adds,
            quantity=self.quantity,
            price=self.price,
            rate=self.rate,
            fee_bps=self.policy.fee_bps,
        )

    @cached_property
    def after(self) -> Account:
        """The account after the fill and its fee, at the same marks; nothing is booked."""
        holdings = {**self.account.positions, (self.action.symbol, self.side): self.deal.after}
        cash = self.account.cash + self.deal.realised - self.deal.fee
        account = replace(self.account, positions=holdings, cash=cash)
        return replace(account, unrealised=valuation.unrealised(account, self.market, self.catalogue))

    @cached_property
    def notional(self) -> Decimal:
        return valuation.position_notional(self.deal.after, self.account, self.market, self.catalogue)

    @cached_property
    def gross(self) -> Decimal:
        return valuation.gross_notional(self.after, self.market, self.catalogue)


def _read(name: str, text: str) -> Decimal:
    try:
        value = parse(text)
    except NotAnAmount as fault:
        raise GateRefused("INVALID_QUANTITY", f"{name} {fault}.", observed=text[:64]) from None
    if value <= 0:
        raise GateRefused("INVALID_QUANTITY", f"{name} must be above 0.", ZERO, value)
    return value


def _size(ticket: Ticket) -> Decimal:
    action = ticket.action
    given = {n: t for n in ("quantity", "notional", "fraction") if (t := getattr(action, n)) is not None}
    if len(given) > 1:
        raise GateRefused("INVALID_QUANTITY", f"Give one of {', '.join(given)}.", 1, len(given))
    if not given and ticket.verb is not Verb.CLOSE:
        raise GateRefused("INVALID_QUANTITY", "Give a quantity, a notional or, to reduce, a fraction.")
    if not given:
        return _held(ticket).quantity
    name, text = next(iter(given.items()))
    value = _read(name, text)
    if name == "quantity":
        return value
    if name == "notional":
        return floor_step(divide(value, multiply(ticket.price, ticket.rate)), ticket.instrument.quantity_step)
    if ticket.verb.adds:
        raise GateRefused("INVALID_QUANTITY", "A fraction only reduces what is open.", observed=value)
    part = multiply(_held(ticket).quantity, value)
    return part if value >= 1 else floor_step(part, ticket.instrument.quantity_step)


def _held(ticket: Ticket) -> Position:
    if ticket.position is None:
        raise GateRefused("NO_POSITION", "That side is not open.")
    return ticket.position


def action_is_supported(ticket: Ticket) -> None:
    if ticket.action.action not in Verb.__members__:
        raise GateRefused(
            "UNSUPPORTED_ACTION", "Supported are OPEN, INCREASE, REDUCE and CLOSE.", observed=ticket.action.action[:64]
        )
    if ticket.action.side not in Side.__members__:
        raise GateRefused("UNSUPPORTED_ACTION", "A side is LONG or SHORT.", observed=ticket.action.side[:64])


def account_is_open(ticket: Ticket) -> None:
    account = ticket.account
    if account.status is not AccountStatus.ACTIVE:
        raise GateRefused("ACCOUNT_NOT_OPEN", "The account is not active.", "ACTIVE", account.status)
    if account.read_only:
        raise GateRefused("ACCOUNT_NOT_OPEN", "The account is read-only.", observed="READ_ONLY")
    if ticket.verb.adds and account.blocked_until and ticket.at < account.blocked_until:
        raise GateRefused(
            "ACCOUNT_NOT_OPEN", "The account may only reduce until its next day.", account.blocked_until.isoformat()
        )
    if account.phase is not None and not account.phase.running:
        raise GateRefused("ACCOUNT_NOT_OPEN", "The challenge's phase does not run.", observed=account.phase.status.name)


def asset_is_allowed(ticket: Ticket) -> None:
    symbol = ticket.action.symbol
    if symbol not in ticket.catalogue.instruments:
        raise GateRefused("ASSET_NOT_ALLOWED", "There is no such instrument.", observed=symbol[:64])
    if ticket.verb.adds and ticket.policy.symbols and symbol not in ticket.policy.symbols:
        allowed = ", ".join(ticket.policy.symbols)
        raise GateRefused("ASSET_NOT_ALLOWED", "The policy does not list the instrument.", allowed, symbol)


def price_is_fresh(ticket: Ticket) -> None:
    if ticket.quote is None:
        raise GateRefused("PRICE_MISSING", "The instrument has no quote.", observed=ticket.action.symbol)
    _refuse_stale(ticket, ticket.quote.source_time)


def rate_is_fresh(ticket: Ticket) -> None:
    source, target = ticket.instrument.quote_currency, ticket.account.currency
    found = ticket.catalogue.rate(source, target, ticket.market)
    if found is None:
        raise GateRefused("RATE_MISSING", "There is no conversion rate.", target, source)
    if found[1] is not None:
        _refuse_stale(ticket, found[1])


def _refuse_stale(ticket: Ticket, source_time: datetime) -> None:
    if not valuation.is_fresh(source_time, ticket.at, ticket.policy):
        age = int((ticket.at - source_time).total_seconds())
        raise GateRefused(
            "PRICE_STALE", "The newest quote is too old, in seconds.", ticket.policy.quote_age_seconds_max, age
        )


def direction_is_allowed(ticket: Ticket) -> None:
    allowed = ticket.policy.long_allowed if ticket.side is Side.LONG else ticket.policy.short_allowed
    if ticket.verb.adds and not allowed:
        raise GateRefused("DIRECTION_NOT_ALLOWED", "The policy forbids this direction.", observed=ticket.side)


def quantity_fits(ticket: Ticket) -> None:
    if ticket.position and ticket.quantity == ticket.position.quantity and not ticket.verb.adds:
        return  # the whole holding may always be closed, dust included
    step, least = ticket.instrument.quantity_step, ticket.instrument.quantity_min
    if ticket.quantity < least:
        raise GateRefused("QUANTITY_MIN", "The quantity is below the instrument's minimum.", least, ticket.quantity)
    if floor_step(ticket.quantity, step) != ticket.quantity:
        raise GateRefused("QUANTITY_STEP", "The quantity is not a multiple of the step.", step, ticket.quantity)


def position_matches(ticket: Ticket) -> None:
    if ticket.verb is Verb.OPEN:
        if ticket.position:
            held = ticket.position.quantity
            raise GateRefused("POSITION_EXISTS", "That side is open already; use INCREASE.", ZERO, held)
        return
    held = _held(ticket).quantity
    if not ticket.verb.adds and ticket.quantity > held:
        raise GateRefused("EXCEEDS_POSITION", "More than is open.", held, ticket.quantity)
    if ticket.verb is Verb.CLOSE and ticket.quantity < held:
        raise GateRefused("INVALID_QUANTITY", "CLOSE closes all of it; use REDUCE.", held, ticket.quantity)


def notional_is_within(ticket: Ticket) -> None:
    limit = ticket.policy.notional_max
    if ticket.notional > limit:
        raise GateRefused("NOTIONAL_MAX", "The position's notional is above the limit.", limit, ticket.notional)


def leverage_is_within(ticket: Ticket) -> None:
    limit = multiply(ticket.policy.leverage_max, ticket.after.equity)
    if ticket.notional > limit:
        raise GateRefused("LEVERAGE_MAX", "The position's notional is above leverage.", limit, ticket.notional)


def aggregate_leverage_is_within(ticket: Ticket) -> None:
    limit = multiply(ticket.policy.leverage_max, ticket.after.equity)
    if ticket.gross > limit:
        raise GateRefused("AGGREGATE_LEVERAGE_MAX", "All positions together are above leverage.", limit, ticket.gross)


def position_equity_is_within(ticket: Ticket) -> None:
    limit = percent(ticket.after.equity, ticket.policy.position_equity_pct_max)
    if ticket.notional > limit:
        raise GateRefused("POSITION_EQUITY_MAX", "The position is too large for the equity.", limit, ticket.notional)


def margin_is_enough(ticket: Ticket) -> None:
    limit = min(ticket.after.balance, ticket.after.equity)
    margin = divide(ticket.gross, ticket.policy.leverage_max)
    if margin > limit:
        raise GateRefused("INSUFFICIENT_MARGIN", "The margin needed exceeds what is there.", limit, margin)


def positions_are_within(ticket: Ticket) -> None:
    count = len(ticket.after.positions)
    if count > ticket.positions_max:
        raise GateRefused("POSITIONS_MAX", "Too many open positions.", ticket.positions_max, count)


Gate = Callable[[Ticket], None]

GATES: tuple[Gate, ...] = (
    action_is_supported,
    account_is_open,
    asset_is_allowed,
    price_is_fresh,
    rate_is_fresh,
    direction_is_allowed,
    quantity_fits,
    position_matches,
)

# Nothing may forbid lowering exposure, so REDUCE and CLOSE do not meet these.
EXPOSURE_GATES: tuple[Gate, ...] = (
    notional_is_within,
    leverage_is_within,
    aggregate_leverage_is_within,
    position_equity_is_within,
    margin_is_enough,
    positions_are_within,
)


def admit(ticket: Ticket) -> Deal:
    """The deal, if every gate lets the action through; else GateRefused."""
    for gate in GATES:
        gate(ticket)
    if ticket.verb.adds:
        for gate in EXPOSURE_GATES:
            gate(ticket)
    return ticket.deal
