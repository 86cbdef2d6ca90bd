"""The order ticket: one action on one account at one market, with the figures that the gates check.

Price, size and exposure are computed when they are first asked for; what cannot be read is refused then, and an
action that is not supported at once: a ticket has a verb, a side and a type.
"""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from domain import valuation, working_orders
from domain.accounts import Account
from domain.conversion import Rate
from domain.fills import Deal, deal
from domain.frozen import cached, replace
from domain.instruments import Catalogue, Instrument
from domain.money import (
    AMOUNT_MAX,
    AMOUNT_UNIT,
    PERCENT,
    PLACES,
    ZERO,
    NotAnAmount,
    denoise,
    divide,
    floor_step,
    is_whole_minor,
    multiply,
    parse_number,
    round8,
)
from domain.orders import PROPOSABLE, Action, OrderType, RefusalReason, Verb, buys
from domain.positions import Position, Side
from domain.quotes import PRICE_MAX, Market
from domain.terms import Policy

NOISE = Decimal("1e-9")  # a quantity or price this near to a step means the step: sums of floats are off by less
NOISE_OF_PART = Decimal("1e-11")  # of a notional or a fraction, whose step is the eighth decimal place
SIZES = ("quantity", "lots", "notional", "fraction")
VERB_NAMES = ", ".join(Verb)
VERBS, SIDES = dict(Verb.__members__), dict(Side.__members__)
TYPES = {None: OrderType.MARKET} | {kind.value: kind for kind in PROPOSABLE}


UNKNOWN_VERB = RefusalReason("UNSUPPORTED_ACTION", f"Supported are {VERB_NAMES}.")
UNKNOWN_SIDE = RefusalReason("UNSUPPORTED_ACTION", "A side is LONG or SHORT.")
UNKNOWN_ORDER = RefusalReason("UNSUPPORTED_ACTION", "There is no such order.")
NO_PRICE = RefusalReason("INVALID_PRICE", "{name} {fault}.", recorded=False)
PRICE_TOO_LOW = RefusalReason("INVALID_PRICE", "{name} must be above 0.", recorded=False)
PRICE_TOO_HIGH = RefusalReason("INVALID_PRICE", "{name} is too high.", recorded=False)
PRICE_TOO_PRECISE = RefusalReason("PRICE_PRECISION", "{name} has more decimal places than the instrument.")
NO_SIZE = RefusalReason("INVALID_QUANTITY", "{name} {fault}.", recorded=False)
SIZE_TOO_LOW = RefusalReason("INVALID_QUANTITY", "{name} must be above 0.", recorded=False)
SIZE_TOO_PRECISE = RefusalReason("INVALID_QUANTITY", f"{{name}} has more than {PLACES} decimal places.", recorded=False)
SEVERAL_SIZES = RefusalReason("INVALID_QUANTITY", "Give one of {sizes}.", recorded=False)
SIZE_MISSING = RefusalReason(
    "INVALID_QUANTITY", "Give a quantity, lots, a notional or, to reduce, a fraction.", recorded=False
)
TOO_MANY_LOTS = RefusalReason("INVALID_QUANTITY", "These are too many lots.", recorded=False)
FRACTION_ADDS = RefusalReason("INVALID_QUANTITY", "A fraction only reduces what is open.", recorded=False)
NO_POSITION = RefusalReason("NO_POSITION", "That side is not open.")


class GateRefused(Exception):
    """An action is stopped at a gate.

    `refusal` is the answer; `recorded` says whether it may be stored. It is the reason's own unless it is named.
    """

    def __init__(
        self,
        reason: RefusalReason,
        limit: object = None,
        observed: object = None,
        *,
        recorded: bool | None = None,
        **names: object,
    ) -> None:
        super().__init__(reason.code)
        self.recorded = reason.recorded if recorded is None else recorded
        self.refusal = reason.refusal(limit, observed, **names)


class RiskFigures(NamedTuple):
    """The figures of exposure limits: an account at its marks, now or after a deal that adds. Nothing is booked.

    Amounts are in the account's currency.
    """

    policy: Policy
    balance: Decimal
    equity: Decimal
    notional: Decimal  # of one position
    gross: Decimal  # of all positions
    positions: int
    positions_max: int  # the smaller of policy and phase
    orders: int  # that work


def action_is_supported(action: Action) -> tuple[Verb, Side, OrderType]:
    """Return what the action asks for, if there is such a thing: else there is nothing that a gate could look at."""
    verb, side, kind = VERBS.get(action.action), SIDES.get(action.side), TYPES.get(action.order)
    if verb is None:
        raise GateRefused(UNKNOWN_VERB, observed=action.action[:64])
    if side is None:
        raise GateRefused(UNKNOWN_SIDE, observed=action.side[:64])
    if kind is None:
        assert action.order is not None, "no order is one at the market"
        allowed = ", ".join(PROPOSABLE)
        raise GateRefused(UNKNOWN_ORDER, allowed, action.order[:64])
    return verb, side, kind


class OrderTicket:
    """One action on one account at one market, with the figures derived from it.

    An order that is to rest is judged as if the market stood at its own price.
    Raises GateRefused where the action is not supported: the gate before all others.
    """

    def __init__(
        self,
        action: Action,
        account: Account,
        market: Market,
        catalogue: Catalogue,
        at: datetime,
        positions_max: int,
    ) -> None:
        self.action, self.account, self.quoted = action, account, market
        self.catalogue, self.at, self.policy = catalogue, at, account.policy
        self.positions_max = positions_max
        self.verb, self.side, self.type = action_is_supported(action)
        self.quote = market.get(action.symbol)
        self.others = account.positions.copy()  # what the account holds beside the position
        self.position = self.others.pop((action.symbol, self.side), None)
        if action.price is action.stop_loss is action.take_profit is None:  # as most are
            self.own_price = self.stop_loss = self.take_profit = None
            self.market = market

    @cached
    def instrument(self) -> Instrument:
        return self.catalogue.instruments[self.action.symbol]

    @property
    def buys(self) -> bool:
        return buys(self.verb, self.side)

    @cached
    def own_price(self) -> Decimal | None:
        """At which a LIMIT or STOP triggers. Raises GateRefused where it cannot be used."""
        return None if self.action.price is None else _price(self, "price", self.action.price)

    @cached
    def stop_loss(self) -> Decimal | None:
        return self._protection(OrderType.STOP_LOSS, "stop_loss", self.action.stop_loss)

    @cached
    def take_profit(self) -> Decimal | None:
        return self._protection(OrderType.TAKE_PROFIT, "take_profit", self.action.take_profit)

    def _protection(self, kind: OrderType, name: str, text: str | None) -> Decimal | None:
        return None if text is None or kind in self.removed else _price(self, name, text)

    @cached
    def removed(self) -> tuple[OrderType, ...]:
        """Return what a PROTECT takes away."""
        if self.verb is not Verb.PROTECT:
            return ()
        texts = {OrderType.STOP_LOSS: self.action.stop_loss, OrderType.TAKE_PROFIT: self.action.take_profit}
        return tuple(kind for kind, text in texts.items() if text is not None and _removes(text))

    @property
    def is_sized(self) -> bool:
        """Return whether the action has a size."""
        return any(getattr(self.action, name) is not None for name in SIZES)

    @property
    def holding(self) -> Position:
        """The open position it is about. Raises GateRefused where the side is not open."""
        if self.position is None:
            raise GateRefused(NO_POSITION)
        return self.position

    @cached
    def market(self) -> Market:
        """The price at which the gates judge the order: the current one, unless the order waits for its own price."""
        own = self.own_price
        if own is None:
            return self.quoted
        assert self.quote, "the price gate has passed"
        price = valuation.deal_price(self.quote, self.buys, self.policy.slippage)
        if self.type.reached(price, own, buys=self.buys):
            return self.quoted
        return {**self.quoted, self.action.symbol: replace(self.quote, bid=own, ask=own)}

    @property
    def rests(self) -> bool:
        """Return whether the order waits for its price. An order whose price is reached is filled at the quote."""
        return self.market is not self.quoted

    @cached
    def price(self) -> Decimal:
        return valuation.deal_price(self.market[self.action.symbol], self.buys, self.policy.slippage)

    @cached
    def exit_price(self) -> Decimal:
        """The price at which the position could be closed at the moment of the deal: its price less the spread."""
        assert self.quote, "the price gate has passed"
        if not self.verb.adds:
            return self.price
        sell, buy = (
            valuation.deal_price(self.quote, side, self.policy.slippage) for side in (not self.buys, self.buys)
        )
        return self.price + (sell - buy)

    @cached
    def rate(self) -> Rate:
        """The last good rate from the quote currency into the account's currency."""
        return valuation.rate_of(self.action.symbol, self.account.currency, self.market, self.catalogue)

    @cached
    def quantity(self) -> Decimal:
        """Return the size asked for, in the instrument's units. Raises GateRefused where it cannot be read."""
        return _size(self)

    @cached
    def deal(self) -> Deal:
        before = self.position or Position(0, self.action.symbol, self.side, self.at)
        return deal(
            before,
            adds=self.verb.adds,
            quantity=self.quantity,
            price=self.price,
            rate=self.rate.value,
            fee_bps=self.policy.fee_bps,
        )

    @cached
    def unrealised(self) -> Decimal:
        """Open profit of all holdings after the deal."""
        after, others = self.deal.after, self.others.values()
        positions = (*others, after) if after.quantity else others
        return valuation.unrealised(self.account, self.market, self.catalogue, positions)

    @cached
    def after(self) -> RiskFigures:
        """Return what the account comes to by the deal, at the same marks."""
        account, market, deal, catalogue = self.account, self.market, self.deal, self.catalogue
        balance = account.cash + deal.realised - deal.fee
        equity = balance + self.unrealised
        notional = valuation.position_notional(deal.after, account, market, catalogue)
        gross = notional + valuation.gross_notional(account, market, catalogue, self.others.values())
        positions, most = len(self.others) + 1, self.positions_max
        return RiskFigures(self.policy, balance, equity, notional, gross, positions, most, self.orders_after)

    @property
    def orders_after(self) -> int:
        """The number of orders that the action adds: itself if it rests, else its missing exits."""
        working = len(self.account.orders)
        if self.rests:
            return working + 1
        if self.stop_loss is None and self.take_profit is None:
            return working
        prices = {OrderType.STOP_LOSS: self.stop_loss, OrderType.TAKE_PROFIT: self.take_profit}
        exits = {kind for kind, price in prices.items() if price is not None}
        there = {order.type for order in working_orders.protecting(self.account, self.action.symbol, self.side)}
        return working + len(exits - there)


def _removes(text: str) -> bool:
    """Return whether the text of a PROTECT removes the exit: NONE, or 0 as trading platforms show it."""
    if text.strip().upper() == "NONE":
        return True
    try:
        return parse_number(text) == 0
    except NotAnAmount:
        return False


def _price(ticket: OrderTicket, name: str, text: str) -> Decimal:
    """Return a price of the action in the quote currency, in the instrument's precision."""
    places = ticket.instrument.price_precision
    try:
        step = Decimal(1).scaleb(-places)
        value = denoise(parse_number(text), step, min(NOISE, multiply(step, PERCENT)))
    except NotAnAmount as fault:
        raise GateRefused(NO_PRICE, observed=text[:64], name=name, fault=fault) from None
    if value <= 0:
        raise GateRefused(PRICE_TOO_LOW, ZERO, value, name=name)
    if value >= PRICE_MAX:
        raise GateRefused(PRICE_TOO_HIGH, PRICE_MAX, value, name=name)
    if not is_whole_minor(value, places):
        raise GateRefused(PRICE_TOO_PRECISE, places, value, name=name)
    return value


def _read(name: str, text: str, step: Decimal, tolerance: Decimal) -> Decimal:
    """Return a size from text, the noise of floats rounded away."""
    try:
        value = parse_number(text)
    except NotAnAmount as fault:
        raise GateRefused(NO_SIZE, observed=text[:64], name=name, fault=fault) from None
    if value <= 0:
        raise GateRefused(SIZE_TOO_LOW, ZERO, value, name=name)
    if value != round8(value):
        value = denoise(value, step, tolerance)
    if value != round8(value):
        raise GateRefused(SIZE_TOO_PRECISE, observed=text[:64], name=name)
    return value


def _size(ticket: OrderTicket) -> Decimal:
    action = ticket.action
    sizes = [name for name in SIZES if getattr(action, name) is not None]
    if len(sizes) > 1:
        raise GateRefused(SEVERAL_SIZES, 1, len(sizes), sizes=", ".join(sizes))
    if action.quantity is not None:
        return _read("quantity", action.quantity, ticket.instrument.quantity_step, NOISE)
    if action.lots is not None:
        return _units_of_lots(ticket, _read("lots", action.lots, AMOUNT_UNIT, NOISE_OF_PART))
    if action.notional is not None:
        value = _read("notional", action.notional, AMOUNT_UNIT, NOISE_OF_PART)
        return floor_step(divide(value, multiply(ticket.price, ticket.rate.value)), ticket.instrument.quantity_step)
    if action.fraction is not None:
        return _part(ticket, _read("fraction", action.fraction, AMOUNT_UNIT, NOISE_OF_PART))
    if ticket.verb not in (Verb.CLOSE, Verb.PROTECT):
        raise GateRefused(SIZE_MISSING)
    return ticket.holding.quantity


def _units_of_lots(ticket: OrderTicket, lots: Decimal) -> Decimal:
    quantity = multiply(lots, ticket.instrument.contract_size)
    if quantity >= AMOUNT_MAX:
        raise GateRefused(TOO_MANY_LOTS, AMOUNT_MAX, quantity)
    return quantity


def _part(ticket: OrderTicket, value: Decimal) -> Decimal:
    if ticket.verb.adds:
        raise GateRefused(FRACTION_ADDS, observed=value)
    part = multiply(ticket.holding.quantity, value)
    return part if value >= 1 else floor_step(part, ticket.instrument.quantity_step)
