"""Decision actions as proposed, and the orders and fills they become.

Every object an account makes is named by the ledger row that made it: (account, seq).
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from domain.ledger import Facts
from domain.lifecycles import ActionStatus, OrderStatus
from domain.positions import Side


class Verb(StrEnum):
    OPEN = "OPEN"
    INCREASE = "INCREASE"
    REDUCE = "REDUCE"
    CLOSE = "CLOSE"

    @property
    def adds(self) -> bool:
        """Does it raise exposure?"""
        return self in (Verb.OPEN, Verb.INCREASE)


class OrderType(StrEnum):
    """MARKET is filled at once; the others rest until a quote reaches their price."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LOSS = "STOP_LOSS"
    TAKE_PROFIT = "TAKE_PROFIT"


@dataclass(frozen=True, slots=True)
class Action:
    """One proposal, its numbers still text: each is judged by itself, so a bad one does not sink the batch."""

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
    stop_loss: str | None = None  # closes the position once a quote reaches it
    take_profit: str | None = None
    reference: str | None = None  # the caller's own

    @property
    def key(self) -> tuple[str, str]:
        return self.run, self.action_id


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an action was not executed."""

    code: str
    message: str
    limit: str | None = None
    observed: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
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
    outcome: Facts = field(default_factory=dict)  # why it was cancelled, or the gate that refused it


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class ActionResult:
    """The answer to one action. `seq` is None where nothing was stored (a duplicate, a conflict)."""

    account: int
    seq: int | None
    content: Action
    status: ActionStatus
    refusal: Refusal | None = None
    quote: Facts = field(default_factory=dict)
    order_seq: int | None = None
    fill: Fill | None = None
    market_time: datetime | None = None
    batch: int = 0
    replayed: bool = False
