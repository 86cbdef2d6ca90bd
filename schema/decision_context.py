"""Decision context: everything that a person or an AI needs to decide which actions to propose."""

from datetime import datetime
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
from schema.calendar import DayDate
from schema.engine.computed_fields import computed
from schema.engine.errors import BadUserInput
from schema.engine.paging import read_one
from schema.engine.request_context import Info
from schema.engine.row_types import object_of_row
from schema.rule_progress import RuleProgress
from schema.snapshots import AccountSnapshot
from services.decision_context import AccountContext
from services.views.lists import ACCOUNTS, ACTIONS, ORDERS
from services.views.shown import readable_rows

if TYPE_CHECKING:
    from schema.accounts import Account
    from schema.actions import DecisionActionResult
    from schema.orders import Order


SYMBOLS_MAX = 100


def symbols_of(symbols: list[str] | None) -> tuple[str, ...] | None:
    """Return the symbols requested for a decision context. Raise BadUserInput if there are too many or one is not
    text.
    """
    if symbols is not None and len(symbols) > SYMBOLS_MAX:
        raise BadUserInput(
            f"symbols must have at most {SYMBOLS_MAX} items; found {len(symbols)}. Ask for fewer instruments."
        )
    return None if symbols is None else tuple(symbols)


@strawberry.type(description="Reason for which a gate would reject an action.")
class GateRefusal:
    code: str = field(description="Code of the gate.")
    message: str = field(description="Reason in plain words.")
    limit: str | None = field(description="Limit of the gate, as text; null if there is none.")
    observed: str | None = field(description="Value compared with the limit, as text; null if there is none.")

    @classmethod
    def of(cls, refusal: Refusal | None) -> Self | None:
        if refusal is None:
            return None
        return cls(code=refusal.code, message=refusal.message, limit=refusal.limit, observed=refusal.observed)


@strawberry.type(description="Permission of the account for one kind of action at present.")
class ActionPermission:
    verb: Verb = field(description="Kind of action.")
    allowed: bool = field(description="True if the account may take such an action at all.")
    refusal: GateRefusal | None = field(description="Reason why it may not; null if it may.")

    @classmethod
    def of(cls, permission: VerbPermission) -> Self:
        refusal = GateRefusal.of(permission.refusal)
        return cls(verb=permission.verb, allowed=refusal is None, refusal=refusal)


@strawberry.type(description="Remaining headroom of a gate that limits exposure.")
class GateRoom:
    code: str = field(description="Code of the gate.")
    unit: GateUnit = field(description="Unit of `limit`, `taken` and `headroom`.")
    limit: Decimal = field(description="Current limit.")
    taken: Decimal = field(
        description="Part of the limit that is used. For a limit per position: the use by the largest position; a new "
        "position has the full limit."
    )
    headroom: Decimal = field(description="Part of the limit that is left; negative if the limit is exceeded.")

    @classmethod
    def of(cls, headroom: GateHeadroom) -> Self:
        return cls(
            code=headroom.code, unit=headroom.unit, limit=headroom.limit, taken=headroom.taken, headroom=headroom.left
        )


@strawberry.type(
    description="The largest market order that the gates would accept now on one side of an instrument. An order one "
    "quantity step larger is rejected."
)
class LargestOrder:
    side: Side = field(description="Side of the position.")
    verb: Verb = field(description="Action to propose: OPEN, or INCREASE if a position is open on this side.")
    quantity: Decimal = field(description="Quantity in units of the instrument; 0 if no order passes.")
    notional: Decimal = field(description="Notional of `quantity` in the account's currency.")
    refusal: GateRefusal = field(description="Rejection of the next larger order or, if none passes, of the smallest.")

    @classmethod
    def of(cls, size: domain.LargestOrder) -> Self:
        refusal = GateRefusal.of(size.refusal)
        assert refusal, "every size has a refusal"
        return cls(side=size.side, verb=size.verb, quantity=size.quantity, notional=size.notional, refusal=refusal)


@strawberry.type(description="An instrument with its quote and the largest orders on both sides.")
class TradableInstrument:
    symbol: str = field(description="Instrument symbol.")
    bid: Decimal | None = field(description="Bid price; null without a quote.")
    ask: Decimal | None = field(description="Ask price; null without a quote.")
    quote_time: datetime | None = field(description="Source time of the quote; null without a quote.")
    quote_age_seconds: int | None = field(
        description="Age of the quote at the current market time, in whole seconds; null without a quote."
    )
    stale: bool = field(description="True if the quote is too old to trade at.")
    largest: list[LargestOrder] = field(description="Largest order on each side.")

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


@strawberry.type(description="Current trading day of a phase. Amounts are in the account's currency.")
class TradingDay:
    number: int = field(description="Number of the trading day within the phase, counted from 1.")
    date: DayDate = field(description="Date that names the trading day.")
    ends_at: datetime = field(description="Time at which the trading day ends.")
    start_balance: Decimal = field(description="Balance at the start of the trading day.")
    start_equity: Decimal = field(description="Equity at the start of the trading day.")
    traded: bool = field(description="True if an order was filled on the trading day.")

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
    description="Actions, limits and figures of an account at the newest quotes, computed without writing anything."
)
class DecisionContext:
    snapshot: AccountSnapshot = field(description="Balances, exposure, margin and open positions.")
    status: AccountStatus = field(description="State of the account.")
    read_only: bool = field(description="True if the account accepts no more actions, for example after a verdict.")
    blocked_until: datetime | None = field(description="End of a ban on opening or increasing positions; null if none.")
    phase_index: int | None = field(description="Phase of the challenge, counted from 1; null without a challenge.")
    phase_status: ChallengeStatus | None = field(
        description="State of the account's phase; null without a challenge and before the phase starts."
    )
    permissions: list[ActionPermission] = field(description="Permission for each kind of action.")
    sides: list[Side] = field(description="Sides on which the policy allows positions.")
    gates: list[GateRoom] = field(description="Headroom of each gate that limits exposure.")
    rules: list[RuleProgress] = field(
        description="Progress of the phase on each of its rules. For an account without a challenge, only the "
        "liquidation level."
    )
    day: TradingDay | None = field(description="Current trading day; null if no phase is running.")
    decided: strawberry.Private[AccountContext]

    @classmethod
    def of(cls, decided: AccountContext) -> Self:
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

    @computed("Instruments that the policy allows, or only those requested.")
    def instruments(self) -> list[TradableInstrument]:
        return [TradableInstrument.of(tradable) for tradable in self.decided.context.instruments]

    @computed("Working orders of the account, newest first.")
    def orders(self) -> list[Annotated["Order", strawberry.lazy("schema.orders")]]:
        return [object_of_row(ORDERS, row) for row in self.decided.orders]

    @computed("The newest 50 decision actions with their results, newest first.")
    def recent_actions(self, info: Info) -> list[Annotated["DecisionActionResult", strawberry.lazy("schema.actions")]]:
        return [
            object_of_row(ACTIONS, row) for row in readable_rows(info.context.principal, ACTIONS, self.decided.actions)
        ]

    @computed(
        "Account on which the challenge continues in its next phase; null while this account is the one to trade."
    )
    async def next_account(self, info: Info) -> Annotated["Account", strawberry.lazy("schema.accounts")] | None:
        return await read_one(info, ACCOUNTS, self.decided.next_account_id)
