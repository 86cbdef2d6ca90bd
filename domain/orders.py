"""Decision actions as proposed, and the orders and fills they become.

Every object an account makes is named by the ledger row that made it: (account, seq).
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from domain.frozen import fast_init
from domain.ledger import Facts
from domain.lifecycles import ActionStatus, FillStatus, OrderStatus
from domain.money import plain
from domain.positions import Side


class Verb(StrEnum):
    OPEN = "OPEN"
    INCREASE = "INCREASE"
    REDUCE = "REDUCE"
    CLOSE = "CLOSE"
    PROTECT = "PROTECT"  # of actions alone: it trades nothing, so no order and no fill has it

    adds: bool  # does it raise exposure?

    def __init__(self, name: str) -> None:
        self.adds = name in ("OPEN", "INCREASE")


class OrderType(StrEnum):
    """MARKET is filled at once; the others rest until a quote reaches their price."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LOSS = "STOP_LOSS"
    TAKE_PROFIT = "TAKE_PROFIT"

    protects: bool  # does it close the position it belongs to?

    def __init__(self, name: str) -> None:
        self.protects = name in ("STOP_LOSS", "TAKE_PROFIT")

    def reached(self, price: Decimal, own: Decimal, *, buys: bool) -> bool:
        """Return whether the market price reaches the order's price: no worse for a limit, no better for a stop."""
        no_worse = self in (OrderType.LIMIT, OrderType.TAKE_PROFIT)
        return price <= own if buys == no_worse else price >= own


PROPOSABLE = (OrderType.MARKET, OrderType.LIMIT, OrderType.STOP)
"""What an action may carry; the others come to life with the position they close."""


def buys(verb: Verb, side: Side) -> bool:
    """Return whether the order buys: it opens a long or closes a short."""
    return verb.adds == (side is Side.LONG)


@dataclass(frozen=True, slots=True)
class Action:
    """One proposed action with its numbers as text. Each is judged alone: an invalid one rejects no other."""

    run: str
    action_id: str
    action: str
    symbol: str
    side: str
    quantity: str | None = None
    notional: str | None = None
    fraction: str | None = None
    order: str | None = None  # MARKET, LIMIT or STOP; None is MARKET
    price: str | None = None  # of a LIMIT or STOP, in the quote currency
    stop_loss: str | None = None  # closes the position once a quote reaches it; to PROTECT also NONE or 0
    take_profit: str | None = None
    reference: str | None = None  # the caller's own
    lots: str | None = None  # the size in lots of the instrument's contract size

    @property
    def key(self) -> tuple[str, str]:
        return self.run, self.action_id


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason why an action was not executed."""

    code: str
    message: str
    limit: str | None = None
    observed: str | None = None


@dataclass(frozen=True, slots=True)
class RefusalReason:
    """A code, and the message it comes with; names in braces are filled in for the action that is refused.

    `recorded` is False where the action holds nothing that a gate could judge, such as a number that is none: it is
    answered, and leaves no trace. docs/errors.md lists every reason that is a constant of a module.
    """

    code: str
    message: str
    recorded: bool = True

    def refusal(self, limit: object = None, observed: object = None, **names: object) -> Refusal:
        """Return the answer to an action refused for this reason; `limit` and `observed` are values or texts."""
        message = self.message.format(**names) if names else self.message
        return Refusal(self.code, message, _text(limit), _text(observed))


def _text(value: object) -> str | None:
    if value is None:
        return None
    return plain(value) if isinstance(value, Decimal) else str(value)


@fast_init
@dataclass(frozen=True)
class Order:
    """The intent of an action or of the desk's own order.

    A resting order that lowers exposure ends with its position. With the verb CLOSE it closes all of it as it then is,
    with REDUCE its quantity, or what is left of the position if that is less.
    """

    account: int
    seq: int
    symbol: str
    side: Side
    verb: Verb
    quantity: Decimal
    status: OrderStatus
    reason: str  # ACTION, or what forced it
    placed_at: datetime
    batch: int
    action_seq: int | None = None
    type: OrderType = OrderType.MARKET
    price: Decimal | None = None  # at which a resting order triggers
    stop_loss: Decimal | None = None  # of the position it opens or adds to
    take_profit: Decimal | None = None
    ended_at: datetime | None = None  # when it was filled, cancelled or rejected, by the market's clock
    outcome: Facts = field(default_factory=dict)  # why it was cancelled, or what refused it; never changed in place
    origin: int | None = None  # the first version of an order that was amended; None of that itself

    @property
    def buys(self) -> bool:
        return buys(self.verb, self.side)


@fast_init
@dataclass(frozen=True)
class Fill:
    """Price in the quote currency; fee and realised in the account's, realised before the fee."""

    account: int
    seq: int
    order_seq: int
    position_seq: int
    symbol: str
    side: Side
    verb: Verb
    quantity: Decimal
    price: Decimal
    fee: Decimal
    rate: Decimal
    realised: Decimal
    filled_at: datetime
    batch: int
    quote_time: datetime
    status: FillStatus = FillStatus.BOOKED
    rate_time: datetime | None = None  # source time of the rate's oldest quote; None at par
    rate_pairs: str = ""  # the instruments that converted, parted by a comma; none at par
    rate_stale: bool = False  # the last good rate, too old to open or increase on
    cumulative: bool = True  # booked with what rounding had left over on its position; the first edition did not


@fast_init
@dataclass(frozen=True)
class ActionResult:
    """The answer to one action.

    `seq` is None where nothing was stored: of a duplicate, a conflict, a refusal before any gate of substance, and one
    beyond the account's share of the day. `order` and `fill` are as they were when answered; read again, as they are by
    then.
    """

    account: int
    seq: int | None
    content: Action
    status: ActionStatus
    refusal: Refusal | None = None
    quote: Facts = field(default_factory=dict)  # never changed in place
    order: Order | None = None
    fill: Fill | None = None
    market_time: datetime | None = None
    batch: int = 0
    replayed: bool = False

    @property
    def order_seq(self) -> int | None:
        return self.order.seq if self.order else None
