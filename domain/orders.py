"""Decision actions as proposed, and the orders and fills they become.

Every object an account makes is named by the ledger row that made it: (account, seq).
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from domain.ledger import Facts
from domain.lifecycles import OrderStatus
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


class ActionStatus(StrEnum):
    EXECUTED = "EXECUTED"
    WORKING = "WORKING"
    REJECTED = "REJECTED"


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
