"""The decision context: which actions an account may take now, and how large they may be.

Everything here asks the gates themselves, so that it cannot promise what they refuse.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from functools import cache

from domain import gates, limit_progress, valuation
from domain.accounts import Account
from domain.execution import Moment, ticket_of
from domain.fills import BASIS_POINTS
from domain.gates import GateUnit
from domain.holdings import age_seconds
from domain.instruments import Instrument
from domain.limit_progress import Progress
from domain.money import AMOUNT_UNIT, EXACT, ZERO, divide, multiply, plain, round8
from domain.orders import Action, Refusal, RefusalReason, Verb
from domain.payouts import Cycle
from domain.positions import Side
from domain.pre_trade import GateRefused, OrderTicket, RiskFigures
from domain.quotes import Quote
from domain.snapshots import Snapshot
from domain.verdicts import Conditions

NO_DIRECTION = RefusalReason("DIRECTION_NOT_ALLOWED", "The policy forbids both directions.")
NOTHING_OPEN = RefusalReason("NO_POSITION", "No position is open.")


@dataclass(frozen=True, slots=True)
class VerbPermission:
    """Whether a verb is allowed on the account now; `refusal` has the reason if it is not."""

    verb: Verb
    refusal: Refusal | None


@dataclass(frozen=True, slots=True)
class GateHeadroom:
    """A gate's limit, the part of it in use, and the rest, which is negative beyond the limit.

    For a limit on one position, the part in use is the largest position's notional; a new position has the whole limit.
    """

    code: str
    unit: GateUnit
    limit: Decimal
    taken: Decimal

    @property
    def left(self) -> Decimal:
        return self.limit - self.taken


@dataclass(frozen=True, slots=True)
class LargestOrder:
    """The largest market order that adds to a side now: it passes every gate, one quantity step more does not.

    `verb` is OPEN, or INCREASE where the side is open. `notional` is what to ask for instead of the quantity, in the
    account's currency. `refusal` is what stops the next step, or, where nothing passes, the smallest order.
    """

    side: Side
    verb: Verb
    quantity: Decimal
    notional: Decimal
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class TradableSymbol:
    """An instrument with its quote and the room on both sides."""

    symbol: str
    quote: Quote | None
    quote_age_seconds: int | None
    stale: bool
    sizes: tuple[LargestOrder, ...]


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """The figures an agent needs to decide on its next actions, all at one market."""

    snapshot: Snapshot
    permissions: tuple[VerbPermission, ...]
    sides: tuple[Side, ...]
    gate_headrooms: tuple[GateHeadroom, ...]
    rules: tuple[Progress, ...]
    moment: Moment
    conditions: Conditions
    symbols: tuple[str, ...]

    @property
    def instruments(self) -> tuple[TradableSymbol, ...]:
        """The largest order on each side, computed on first access: each needs several gate checks."""
        account = self.snapshot.account
        return tuple(_tradable(account, symbol, self.moment, self.conditions) for symbol in self.symbols)


def build_context(
    snapshot: Snapshot,
    moment: Moment,
    conditions: Conditions,
    symbols: Sequence[str] | None = None,
    cycle: Cycle | None = None,
) -> DecisionContext:
    """Return the context of the snapshot's account; of these instruments, or of all that its policy allows.

    `cycle` is what has passed since a funded phase's last payout.
    """
    account = snapshot.account
    allowed = account.policy.symbols or conditions.catalogue.tradable
    return DecisionContext(
        snapshot=snapshot,
        permissions=tuple(_permission(account, verb, moment, conditions) for verb in Verb),
        sides=_sides(account),
        gate_headrooms=tuple(_gate_headrooms(snapshot, moment, conditions)),
        rules=tuple(_rules(account, conditions, cycle)),
        moment=moment,
        conditions=conditions,
        symbols=tuple(sorted(set(allowed if symbols is None else symbols))),
    )


def _sides(account: Account) -> tuple[Side, ...]:
    allowed = {Side.LONG: account.policy.long_allowed, Side.SHORT: account.policy.short_allowed}
    return tuple(side for side in Side if allowed[side])


def _permission(account: Account, verb: Verb, moment: Moment, conditions: Conditions) -> VerbPermission:
    """Return whether the verb is permitted at all, independent of instrument, side and size."""
    ticket = ticket_of(Action("", "", verb, "", Side.LONG), account, moment, conditions)
    positions = len(account.positions)
    try:
        gates.account_is_open(ticket)
        if verb.adds and not _sides(account):
            raise GateRefused(NO_DIRECTION)
        if verb is Verb.OPEN and positions >= ticket.positions_max:
            raise GateRefused(gates.TOO_MANY_POSITIONS, ticket.positions_max, positions)
        if verb is not Verb.OPEN and not positions:
            raise GateRefused(NOTHING_OPEN)
    except GateRefused as refused:
        return VerbPermission(verb, refused.refusal)
    return VerbPermission(verb, None)


def _gate_headrooms(snapshot: Snapshot, moment: Moment, conditions: Conditions) -> Iterator[GateHeadroom]:
    account = snapshot.account
    positions_max = ticket_of(Action("", "", Verb.OPEN, "", Side.LONG), account, moment, conditions).positions_max
    largest = max((holding.notional for holding in snapshot.holdings), default=ZERO)
    figures = _figures(account, largest, snapshot.exposure.gross, positions_max)
    for gate in gates.EXPOSURE_LIMITS:
        taken = round8(Decimal(gate.observed(figures)))
        yield GateHeadroom(gate.reason.code, gate.unit, Decimal(gate.limit(figures)), taken)


def _figures(account: Account, notional: Decimal, gross: Decimal, positions_max: int) -> RiskFigures:
    """Return the account's risk figures for this notional of one position and of all positions."""
    positions, orders = len(account.positions), len(account.orders)
    return RiskFigures(
        account.policy, account.balance, account.equity, notional, gross, positions, positions_max, orders
    )


def _rules(account: Account, conditions: Conditions, cycle: Cycle | None) -> list[Progress]:
    """Return the progress on the phase's rules; without a phase, on the liquidation level."""
    if account.phase is None:
        return limit_progress.liquidation_progress(account)
    assert conditions.terms, "a phase has terms"
    return limit_progress.progress(account, conditions.terms, cycle)


def _tradable(account: Account, symbol: str, moment: Moment, conditions: Conditions) -> TradableSymbol:
    quote = moment.market.get(symbol)
    return TradableSymbol(
        symbol=symbol,
        quote=quote,
        quote_age_seconds=None if quote is None else age_seconds(quote.source_time, moment.at),
        stale=quote is not None and not valuation.is_fresh(quote.source_time, moment.at, account.policy),
        sizes=tuple(largest_order(account, symbol, side, moment, conditions) for side in Side),
    )


def largest_order(account: Account, symbol: str, side: Side, moment: Moment, conditions: Conditions) -> LargestOrder:
    """Return the largest order that adds to the side now; exact: the gates check it and the next larger step."""
    verb = Verb.INCREASE if (symbol, side) in account.positions else Verb.OPEN

    @cache
    def ask(steps: int) -> tuple[OrderTicket, Refusal | None]:
        quantity = multiply(instrument.quantity_step, Decimal(steps)) if instrument else ZERO
        action = Action("", "", verb, symbol, side, quantity=plain(quantity))
        ticket = ticket_of(action, account, moment, conditions)
        try:
            gates.admit(ticket)
        except GateRefused as refused:
            return ticket, refused.refusal
        return ticket, None

    instrument = conditions.catalogue.instruments.get(symbol)
    least = _least(instrument, side, account, moment) if instrument else 1
    ticket, refusal = ask(least)
    if refusal is not None:
        return LargestOrder(side, verb, ZERO, ZERO, refusal)
    steps = boundary(lambda many: ask(many)[1] is None, least, max(least, _estimate(ticket)))
    ticket, refusal = ask(steps)[0], ask(steps + 1)[1]
    assert refusal, "the boundary lies between what passes and what does not"
    notional = multiply(multiply(ticket.quantity, ticket.price), ticket.rate.value)
    rounded_up = notional.quantize(AMOUNT_UNIT, rounding=ROUND_CEILING, context=EXACT)
    return LargestOrder(side, verb, ticket.quantity, rounded_up, refusal)


def _least(instrument: Instrument, side: Side, account: Account, moment: Moment) -> int:
    """Return the steps of the smallest order: by the least quantity, and if there is a price, by the least notional."""
    quantity, quote = instrument.quantity_min, moment.market.get(instrument.symbol)
    if quote is not None:
        price = valuation.deal_price(quote, side is Side.LONG, account.policy.slippage)
        quantity = max(quantity, divide(instrument.notional_min, price))
    return _steps(quantity, instrument.quantity_step, ROUND_CEILING)


def _steps(quantity: Decimal, step: Decimal, rounding: str) -> int:
    return int(divide(quantity, step).to_integral_value(rounding=rounding, context=EXACT))


def boundary(passes: Callable[[int], bool], least: int, guess: int) -> int:
    """Return a number that passes while its successor does not, searched outwards from the guess; `least` passes."""
    low, high, stride = least, guess + 1, 1
    if guess == least or passes(guess):
        low = guess
        while passes(high):
            low, stride = high, stride * 2
            high += stride
    else:
        high = guess
        while (below := high - stride) > least and not passes(below):
            high, stride = below, stride * 2
        low = max(least, below)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if passes(middle) else (low, middle)
    return low


def _estimate(ticket: OrderTicket) -> int:
    """Return the steps at which the first exposure limit is met: each is linear in the quantity but for its rounding.

    A unit more raises the notional, and lowers the balance by its fee and equity by fee and spread.
    """
    account, policy, rate = ticket.account, ticket.policy, ticket.rate.value
    mark = valuation.mark_price(ticket.market[ticket.action.symbol], ticket.side, policy.slippage)
    unit = multiply(mark, rate)
    fee = divide(multiply(multiply(ticket.price, rate), policy.fee_bps), BASIS_POINTS)
    cost = fee + multiply((ticket.price - mark) * ticket.side.sign, rate)
    gross = valuation.gross_notional(account, ticket.market, ticket.catalogue)
    notional = ticket.position.notional(mark, rate) if ticket.position else ZERO
    before = _figures(account, notional, gross, ticket.positions_max)
    after = before._replace(
        balance=before.balance - fee, equity=before.equity - cost, notional=notional + unit, gross=gross + unit
    )
    ways = ((gate.headroom(before), gate.headroom(after)) for gate in gates.EXPOSURE_LIMITS)
    most = min(divide(Decimal(left), Decimal(left - then)) for left, then in ways if then < left)
    return max(0, int(EXACT.divide_int(max(ZERO, most), ticket.instrument.quantity_step)))
