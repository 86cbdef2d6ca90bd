"""One action against one account at one market, and what follows from it: what the gates look at.

Price, size and exposure are computed when they are first asked for; what cannot be read is refused then.
"""

from datetime import datetime
from decimal import Decimal

from domain import resting, valuation
from domain.accounts import Account
from domain.fills import Deal, deal
from domain.instruments import Catalogue, Instrument
from domain.money import ZERO, NotAnAmount, divide, floor_step, is_whole_minor, multiply, parse, plain
from domain.orders import Action, OrderType, Refusal, Verb, buys
from domain.positions import Position, Side
from domain.quotes import PRICE_MAX, Market
from domain.values import lazy, replace

VERBS, SIDES = dict(Verb.__members__), dict(Side.__members__)


class GateRefused(Exception):
    """An action is stopped at a gate: `refusal` is stored and answered."""

    def __init__(self, code: str, message: str, limit: object = None, observed: object = None) -> None:
        super().__init__(code)
        text = [plain(v) if isinstance(v, Decimal) else None if v is None else str(v) for v in (limit, observed)]
        self.refusal = Refusal(code, message, text[0], text[1])


class Ticket:
    """One action against one account at one market, with what follows from it.

    An order that is to rest is judged as if the market stood at its own price.
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
        self.positions_max = positions_max  # the smaller of policy and phase
        self.quote = market.get(action.symbol)

    @lazy
    def verb(self) -> Verb:
        return VERBS[self.action.action]

    @lazy
    def side(self) -> Side:
        return SIDES[self.action.side]

    @lazy
    def instrument(self) -> Instrument:
        return self.catalogue.instruments[self.action.symbol]

    @lazy
    def type(self) -> OrderType:
        return OrderType.MARKET if self.action.order is None else OrderType(self.action.order)

    @lazy
    def buys(self) -> bool:
        return buys(self.verb, self.side)

    @lazy
    def own_price(self) -> Decimal | None:
        """At which a LIMIT or STOP triggers. Raises GateRefused where it cannot be used."""
        return None if self.action.price is None else _price(self, "price", self.action.price)

    @lazy
    def stop_loss(self) -> Decimal | None:
        return None if self.action.stop_loss is None else _price(self, "stop_loss", self.action.stop_loss)

    @lazy
    def take_profit(self) -> Decimal | None:
        return None if self.action.take_profit is None else _price(self, "take_profit", self.action.take_profit)

    @lazy
    def rests(self) -> bool:
        """Is its price still to come? One that is there already is filled at the quote, like a market order."""
        if self.own_price is None:
            return False
        assert self.quote, "the price gate has passed"
        price = valuation.deal_price(self.quote, self.buys, self.policy.slippage)
        return not self.type.reached(price, self.own_price, buys=self.buys)

    @lazy
    def market(self) -> Market:
        if not self.rests:
            return self.quoted
        assert self.quote, "the price gate has passed"
        assert self.own_price, "an order rests at a price"
        then = replace(self.quote, bid=self.own_price, ask=self.own_price)
        return {**self.quoted, self.action.symbol: then}

    @lazy
    def position(self) -> Position | None:
        return self.account.positions.get((self.action.symbol, self.side))

    @lazy
    def price(self) -> Decimal:
        return valuation.deal_price(self.market[self.action.symbol], self.buys, self.policy.slippage)

    @lazy
    def rate(self) -> Decimal:
        return valuation.rate_of(self.action.symbol, self.account.currency, self.market, self.catalogue)

    @lazy
    def quantity(self) -> Decimal:
        """The size asked for, in the instrument's units. Raises GateRefused where it cannot be read."""
        return _size(self)

    @lazy
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

    @lazy
    def after(self) -> Account:
        """The account after the fill and its fee, at the same marks; nothing is booked."""
        account, deal = self.account, self.deal
        holdings = {**account.positions, (self.action.symbol, self.side): deal.after}
        worth = valuation.unrealised(account, self.market, self.catalogue, holdings)
        return replace(account, positions=holdings, cash=account.cash + deal.realised - deal.fee, unrealised=worth)

    @lazy
    def notional(self) -> Decimal:
        return valuation.position_notional(self.deal.after, self.account, self.market, self.catalogue)

    @lazy
    def carried(self) -> Decimal:
        """The most exposure that the equity afterwards carries."""
        return multiply(self.policy.leverage_max, self.after.equity)

    @lazy
    def gross(self) -> Decimal:
        return valuation.gross_notional(self.after, self.market, self.catalogue)

    @lazy
    def orders_after(self) -> int:
        """How many orders work then: its own if it rests, else a stop-loss and a take-profit the side lacks so far."""
        working = len(self.account.orders)
        if self.rests:
            return working + 1
        if self.stop_loss is None and self.take_profit is None:
            return working
        given = {OrderType.STOP_LOSS: self.stop_loss, OrderType.TAKE_PROFIT: self.take_profit}
        wanted = {kind for kind, price in given.items() if price is not None}
        there = {order.type for order in resting.protecting(self.account, self.action.symbol, self.side)}
        return working + len(wanted - there)


def _price(ticket: Ticket, name: str, text: str) -> Decimal:
    """A price of the action in the quote currency, in the instrument's precision."""
    try:
        value = parse(text)
    except NotAnAmount as fault:
        raise GateRefused("INVALID_PRICE", f"{name} {fault}.", observed=text[:64]) from None
    if value <= 0:
        raise GateRefused("INVALID_PRICE", f"{name} must be above 0.", ZERO, value)
    if value >= PRICE_MAX:
        raise GateRefused("INVALID_PRICE", f"{name} is too high.", PRICE_MAX, value)
    places = ticket.instrument.price_precision
    if not is_whole_minor(value, places):
        raise GateRefused("PRICE_PRECISION", f"{name} has more decimal places than the instrument.", places, value)
    return value


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
    sizes = {"quantity": action.quantity, "notional": action.notional, "fraction": action.fraction}
    given = {name: text for name, text in sizes.items() if text is not None}
    if len(given) > 1:
        raise GateRefused("INVALID_QUANTITY", f"Give one of {', '.join(given)}.", 1, len(given))
    if not given and ticket.verb is not Verb.CLOSE:
        raise GateRefused("INVALID_QUANTITY", "Give a quantity, a notional or, to reduce, a fraction.")
    if not given:
        return held(ticket).quantity
    name, text = next(iter(given.items()))
    value = _read(name, text)
    if name == "quantity":
        return value
    if name == "notional":
        return floor_step(divide(value, multiply(ticket.price, ticket.rate)), ticket.instrument.quantity_step)
    if ticket.verb.adds:
        raise GateRefused("INVALID_QUANTITY", "A fraction only reduces what is open.", observed=value)
    part = multiply(held(ticket).quantity, value)
    return part if value >= 1 else floor_step(part, ticket.instrument.quantity_step)


def held(ticket: Ticket) -> Position:
    if ticket.position is None:
        raise GateRefused("NO_POSITION", "That side is not open.")
    return ticket.position
