"""What an account may do now: the context in which an AI, or a person, decides what to propose."""

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Self

import strawberry
from strawberry import field

from domain import decision_context as domain
from domain.accounts import PhaseRun
from domain.decision_context import GateHeadroom, TradableSymbol, VerbPermission
from domain.gates import GateUnit
from domain.lifecycles import AccountStatus, ChallengeStatus
from domain.orders import Refusal, Verb
from domain.positions import Side
from schema.engine.computed_fields import computed
from schema.engine.errors import BadUserInput
from schema.engine.paging import read_one
from schema.engine.request_context import Info
from schema.engine.row_types import object_of_row
from schema.rule_progress import RuleProgress
from schema.snapshots import AccountSnapshot
from services.decision_context import Decided
from services.views.lists import ACCOUNTS, ACTIONS, ORDERS
from services.views.shown import shown

if TYPE_CHECKING:
    from schema.accounts import Account
    from schema.actions import DecisionActionResult
    from schema.orders import Order

CalendarDay = date  # a field of a day is called `date`


SYMBOLS_MAX = 100


def symbols_of(symbols: list[str] | None) -> tuple[str, ...] | None:
    """The instruments a context is asked for. Raises BadUserInput for too many, and for what is not text."""
    if symbols is not None and len(symbols) > SYMBOLS_MAX:
        raise BadUserInput(f"symbols must be at most {SYMBOLS_MAX}; found {len(symbols)}.")
    return None if symbols is None else tuple(symbols)


@strawberry.type(description="What a gate would say.")
class GateRefusal:
    code: str = field(description="The gate.")
    message: str = field(description="The same for people.")
    limit: str | None = field(description="The limit it holds against.")
    observed: str | None = field(description="What was found.")

    @classmethod
    def of(cls, refusal: Refusal | None) -> Self | None:
        if refusal is None:
            return None
        return cls(code=refusal.code, message=refusal.message, limit=refusal.limit, observed=refusal.observed)


@strawberry.type(description="Whether the account may do something at all now.")
class ActionPermission:
    verb: Verb = field(description="What.")
    allowed: bool = field(description="Whether it may.")
    refusal: GateRefusal | None = field(description="Why not.")

    @classmethod
    def of(cls, permission: VerbPermission) -> Self:
        refusal = GateRefusal.of(permission.refusal)
        return cls(verb=permission.verb, allowed=refusal is None, refusal=refusal)


@strawberry.type(description="How much a gate has left.")
class GateRoom:
    code: str = field(description="The gate.")
    unit: GateUnit = field(description="What its figures are.")
    limit: Decimal = field(description="Its limit now.")
    taken: Decimal = field(
        description="What is taken of it. Of a limit on one position: the largest position; a new one has all of it."
    )
    headroom: Decimal = field(description="What is left; negative beyond it.")

    @classmethod
    def of(cls, headroom: GateHeadroom) -> Self:
        return cls(
            code=headroom.code, unit=headroom.unit, limit=headroom.limit, taken=headroom.taken, headroom=headroom.left
        )


@strawberry.type(
    description="The largest market order that adds to a side now: it passes the gates, a quantity step more does not."
)
class LargestOrder:
    side: Side = field(description="The side.")
    verb: Verb = field(description="What to propose: OPEN, or INCREASE where the side is open.")
    quantity: Decimal = field(description="How much, in the instrument's units; 0 where nothing passes.")
    notional: Decimal = field(description="The same as a notional, in the account's currency.")
    refusal: GateRefusal = field(description="What stops one step more; where nothing passes, the smallest order.")

    @classmethod
    def of(cls, size: domain.LargestOrder) -> Self:
        refusal = GateRefusal.of(size.refusal)
        assert refusal, "there is always one"
        return cls(side=size.side, verb=size.verb, quantity=size.quantity, notional=size.notional, refusal=refusal)


@strawberry.type(description="An instrument with its quote and the room on both sides.")
class TradableInstrument:
    symbol: str = field(description="The instrument.")
    bid: Decimal | None = field(description="At which the market buys; null without a quote.")
    ask: Decimal | None = field(description="At which the market sells.")
    quote_time: datetime | None = field(description="The quote's source time.")
    quote_age_seconds: int | None = field(description="Its age by the market's clock, in whole seconds.")
    stale: bool = field(description="Whether it is too old to deal on.")
    largest: list[LargestOrder] = field(description="The largest order on each side.")

    @classmethod
    def of(cls, tradable: TradableSymbol) -> Self:
        quote = tradable.quote
        return cls(
            symbol=tradable.symbol,
            bid=quote.bid if quote else None,
            ask=quote.ask if quote else None,
            quote_time=quote.source_time if quote else None,
            quote_age_seconds=tradable.quote_age_seconds,
            stale=tradable.stale,
            largest=[LargestOrder.of(size) for size in tradable.sizes],
        )


@strawberry.type(description="The trading day a phase is in.")
class TradingDay:
    number: int = field(description="Its number in the phase; the starting day is 1.")
    date: CalendarDay = field(description="Its name.")
    ends_at: datetime = field(description="Its boundary.")
    start_balance: Decimal = field(description="The balance at its start.")
    start_equity: Decimal = field(description="The equity at its start.")
    traded: bool = field(description="Whether a fill happened on it.")

    @classmethod
    def of(cls, phase: PhaseRun) -> Self:
        return cls(
            number=phase.day,
            date=phase.day_date,
            ends_at=phase.day_ends_at,
            start_balance=phase.day_start_balance,
            start_equity=phase.day_start_equity,
            traded=phase.day_traded,
        )


@strawberry.type(
    description="What an account may do at the newest market, as marking it now would leave it; nothing is written."
)
class DecisionContext:
    snapshot: AccountSnapshot = field(description="Balances, exposure, margin and open positions.")
    status: AccountStatus = field(description="The account's state.")
    read_only: bool = field(description="Whether it takes no more actions, as after a verdict.")
    blocked_until: datetime | None = field(description="Until then nothing may be opened or increased.")
    phase_index: int | None = field(description="The challenge's phase it is of, counted from 1.")
    phase_status: ChallengeStatus | None = field(description="That phase's state; null before it has started.")
    permissions: list[ActionPermission] = field(description="What may be done at all.")
    sides: list[Side] = field(description="The directions the policy allows.")
    gates: list[GateRoom] = field(description="What the gates that limit exposure have left.")
    rules: list[RuleProgress] = field(
        description="Where the phase stands on its rules; without a challenge, the account on its liquidation level."
    )
    day: TradingDay | None = field(description="The trading day; null where no phase runs.")
    decided: strawberry.Private[Decided]

    @classmethod
    def of(cls, decided: Decided) -> Self:
        now = decided.context
        account = now.snapshot.account
        phase = account.phase
        return cls(
            snapshot=AccountSnapshot.of(now.snapshot),
            status=account.status,
            read_only=account.read_only,
            blocked_until=account.blocked_until,
            phase_index=phase.index if phase else None,
            phase_status=phase.status if phase else None,
            permissions=[ActionPermission.of(one) for one in now.permissions],
            sides=list(now.sides),
            gates=[GateRoom.of(gate) for gate in now.gate_headrooms],
            rules=[RuleProgress.of(at) for at in now.rules],
            day=TradingDay.of(phase) if phase and phase.running else None,
            decided=decided,
        )

    @computed("The instruments that the policy allows, or those asked for.")
    def instruments(self) -> list[TradableInstrument]:
        return [TradableInstrument.of(tradable) for tradable in self.decided.context.instruments]

    @computed("The account's resting orders, newest first.")
    def orders(self) -> list[Annotated["Order", strawberry.lazy("schema.orders")]]:
        return [object_of_row(ORDERS, row) for row in self.decided.orders]

    @computed("Its newest 50 decision actions and what became of them, newest first.")
    def recent_actions(self, info: Info) -> list[Annotated["DecisionActionResult", strawberry.lazy("schema.actions")]]:
        return [object_of_row(ACTIONS, row) for row in shown(info.context.principal, ACTIONS, self.decided.actions)]

    @computed("The account its challenge has moved on to; null while this is the one to trade.")
    async def next_account(self, info: Info) -> Annotated["Account", strawberry.lazy("schema.accounts")] | None:
        return await read_one(info, ACCOUNTS, self.decided.next_account_id)
