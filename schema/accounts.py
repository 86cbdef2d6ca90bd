"""Trading accounts and what they made."""

import json
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Self

import strawberry
from strawberry import ID, field
from strawberry.scalars import JSON

from domain.accounts import Mode
from domain.conversion import names_of
from domain.holdings import age_seconds
from domain.ledger import Kind
from domain.lifecycles import AccountStatus, ActionStatus, FillStatus, OrderStatus, PositionStatus
from domain.money import ZERO, divide, round_price
from domain.orders import OrderType, Verb
from domain.positions import Side
from schema.decision_context import DecisionContext, symbols_of
from schema.engine.computed_fields import computed
from schema.engine.errors import BadUserInput
from schema.engine.paging import (
    LONG,
    SHORT,
    After,
    Connection,
    First,
    FirstLong,
    page_request,
    read_one,
    read_owned_page,
)
from schema.engine.request_context import Info
from schema.engine.row_types import FromRow
from schema.engine.scalars import Long
from schema.enums import HistoryOrder
from schema.filters import filters_of
from schema.orders import Order
from schema.payloads import Payload
from schema.snapshots import AccountSnapshot
from schema.system import QuarantinedAccount
from services.views.lists import ACCOUNTS, ACTIONS, CHALLENGES, FILLS, LEDGER, ORDERS, POSITIONS, Listing, PageRequest

if TYPE_CHECKING:
    from schema.actions import DecisionActionResult
    from schema.challenges import Challenge


@strawberry.type(
    description="A holding, open or closed, by symbol and side. Cost is in the instrument's quote currency."
)
class Position(FromRow, listing=POSITIONS):
    id: ID = field(description="Its name: account-seq.")
    seq: Long = field(description="The ledger row that opened it.")
    symbol: str = field(description="The instrument.")
    side: Side = field(description="The side.")
    status: PositionStatus = field(description="Its state.")
    quantity: Decimal = field(description="What is held; positive on both sides.")
    cost_basis: Decimal = field(description="What it cost, to 18 places.")
    realised: Decimal = field(description="The profit of what was closed, before fees, in the account's currency.")
    fees: Decimal = field(description="The fees paid on it, in the account's currency.")
    opened_at: datetime = field(description="When it was opened.")
    closed_at: datetime | None = field(description="When all of it was closed.")

    @computed("The average price it was opened at; 0 once it is closed.")
    def average_entry(self) -> Decimal:
        return round_price(divide(self.cost_basis, self.quantity)) if self.quantity else ZERO


@strawberry.type(description="The execution of an order.")
class Fill(FromRow, listing=FILLS):
    id: ID = field(description="Its name: account-seq.")
    seq: Long = field(description="The ledger row that booked it.")
    order_id: ID = field(description="The order.")
    position_id: ID = field(description="The position.")
    symbol: str = field(description="The instrument.")
    side: Side = field(description="The side of the position.")
    verb: Verb = field(description="What it did to the position.")
    status: FillStatus = field(description="Whether it counts.")
    quantity: Decimal = field(description="How much.")
    price: Decimal = field(description="At which price, in the quote currency.")
    fee: Decimal = field(
        description="The fee, in the account's currency: what takes the position's exact fees, rounded up, from before "
        "the fill to after it."
    )
    rate: Decimal = field(description="What one of the quote currency was worth in the account's, to 18 places.")
    realised: Decimal = field(
        description="The profit it realised, before the fee, in the account's currency: what takes the position's "
        "exact profit, rounded, from before the fill to after it."
    )
    filled_at: datetime = field(description="When, by the market's clock.")
    batch: Long = field(description="The batch it was filled at.")
    quote_time: datetime = field(description="The source time of its quote.")
    rate_time: datetime | None = field(description="The source time of the rate's oldest quote; null at par.")
    rate_stale: bool = field(description="Whether the rate was the last good one: too old to open or increase on.")
    rate_names: strawberry.Private[str]

    @computed("The instruments that converted: none at par, two over a third currency.")
    def rate_pairs(self) -> list[str]:
        return names_of(self.rate_names)

    @computed("The rate's age at the fill, in whole seconds; null at par.")
    def rate_age_seconds(self) -> int | None:
        return None if self.rate_time is None else age_seconds(self.rate_time, self.filled_at)


@strawberry.type(description="One row of an account's append-only history.")
class LedgerEvent(FromRow, listing=LEDGER):
    id: ID = field(description="Its name: account-seq.")
    account_id: ID = field(description="The account.")
    seq: Long = field(description="Its place: 1, 2, 3 and so on; the account's version.")
    kind: str = field(description="What happened.")
    amount: Decimal = field(description="What it moved in cash; may be 0.")
    balance_after: Decimal = field(description="The cash after it.")
    market_time: datetime = field(description="When, by the market's clock.")
    recorded_at: datetime = field(description="When it was written.")
    batch: Long = field(description="The newest batch at the time.")
    facts: JSON = field(description="What else is known about it.")
    hash: str = field(description="The sha256, in hex, of the row before and this one.")


@strawberry.input(description="Which positions.")
class PositionFilter:
    status: list[PositionStatus] | None = field(default=None, description="In one of these states.")
    symbol: str | None = field(default=None, description="Of this instrument.")
    side: Side | None = field(default=None, description="Of this side.")
    opened_from: datetime | None = field(default=None, description="Opened at this time or later.")
    opened_before: datetime | None = field(default=None, description="Opened before this time.")


@strawberry.input(description="Which orders.")
class OrderFilter:
    status: list[OrderStatus] | None = field(default=None, description="In one of these states.")
    symbol: str | None = field(default=None, description="Of this instrument.")
    side: Side | None = field(default=None, description="Of positions on this side.")
    verb: list[Verb] | None = field(default=None, description="That do one of these.")
    type: list[OrderType] | None = field(default=None, description="Of one of these types.")
    placed_from: datetime | None = field(default=None, description="Placed at this time or later.")
    placed_before: datetime | None = field(default=None, description="Placed before this time.")


@strawberry.input(description="Which fills.")
class FillFilter:
    status: list[FillStatus] | None = field(default=None, description="In one of these states.")
    symbol: str | None = field(default=None, description="Of this instrument.")
    side: Side | None = field(default=None, description="Of positions on this side.")
    verb: list[Verb] | None = field(default=None, description="That did one of these.")
    filled_from: datetime | None = field(default=None, description="Filled at this time or later.")
    filled_before: datetime | None = field(default=None, description="Filled before this time.")


@strawberry.input(description="Which ledger events.")
class LedgerFilter:
    kind: list[str] | None = field(default=None, description="Of one of these kinds, written as in the events.")
    market_time_from: datetime | None = field(default=None, description="Happened at this time or later.")
    market_time_before: datetime | None = field(default=None, description="Happened before this time.")


@strawberry.input(description="Which decision actions.")
class DecisionActionFilter:
    run_id: str | None = field(default=None, description="Of this run of the caller's.")
    action_id: str | None = field(default=None, description="Of this name; with its run there is at most one.")
    status: list[ActionStatus] | None = field(default=None, description="In one of these states.")
    symbol: str | None = field(default=None, description="Proposed for this instrument.")
    code: str | None = field(default=None, description="Stopped at the gate of this code.")
    market_time_from: datetime | None = field(default=None, description="Judged at this time or later.")
    market_time_before: datetime | None = field(default=None, description="Judged before this time.")


Newest = Annotated[HistoryOrder, strawberry.argument(description="In which order; cursors are of one order.")]
Positions = Annotated[PositionFilter | None, strawberry.argument(name="filter", description="Which positions.")]
Orders = Annotated[OrderFilter | None, strawberry.argument(name="filter", description="Which orders.")]
Fills = Annotated[FillFilter | None, strawberry.argument(name="filter", description="Which fills.")]
Ledgers = Annotated[LedgerFilter | None, strawberry.argument(name="filter", description="Which events.")]
Actions = Annotated[DecisionActionFilter | None, strawberry.argument(name="filter", description="Which actions.")]


def _require_kinds(kinds: list[str] | None) -> None:
    """Raises BadUserInput for a kind that no event has."""
    if unknown := set(kinds or ()) - set(Kind):
        raise BadUserInput(f"No event is of kind {min(unknown)[:64]!r}; there are {', '.join(sorted(Kind))}.")


def _in_order(listing: Listing, first: int, after: str | None, order: HistoryOrder, most: int = SHORT) -> PageRequest:
    return page_request(listing, first, after, most=most, reverse=order is HistoryOrder.OLDEST_FIRST)


AMOUNTS = ("starting_balance", "balance", "equity", "realised", "fees", "profit", "high_watermark")


@strawberry.type(description="The final figures of an account that has ended, in its currency; they never change.")
class AccountResult:
    starting_balance: Decimal = field(description="The balance it began with.")
    balance: Decimal = field(description="Its cash at the end.")
    equity: Decimal = field(description="The same: an account ends without positions.")
    realised: Decimal = field(description="The profit of all it closed, before fees.")
    fees: Decimal = field(description="The fees paid.")
    profit: Decimal = field(description="Realised less fees; what was paid in or out does not count.")
    high_watermark: Decimal = field(description="Its highest equity.")
    fills: int = field(description="How many fills count.")
    started_at: datetime | None = field(description="When it started; null if it never did.")
    ended_at: datetime = field(description="When it ended.")

    @classmethod
    def of(cls, text: str) -> Self:
        """From the snapshot as it is kept."""
        kept = json.loads(text)
        figures: dict[str, Any] = {name: Decimal(kept[name]) for name in AMOUNTS}
        for name in ("started_at", "ended_at"):
            figures[name] = kept[name] and datetime.fromisoformat(kept[name])
        return cls(fills=kept["fills"], **figures)


@strawberry.type(description="A synthetic trading account. Figures are of the newest judged batch, in its currency.")
class Account(FromRow, listing=ACCOUNTS):
    id: ID = field(description="Its number.")
    brand: str = field(description="The brand it belongs to.")
    mode: Mode = field(description="What it is for.")
    status: AccountStatus = field(description="Its state.")
    read_only: bool = field(description="Whether it takes no more actions, as after a verdict.")
    blocked_until: datetime | None = field(description="Until then nothing may be opened or increased.")
    group_name: strawberry.Private[str]
    currency: str = field(description="Its currency.")
    owner: str | None = field(description="The client it is traded for.")
    clone: str | None = field(description="The AI that trades it.")
    starting_balance: Decimal = field(description="The balance it began with.")
    cash: Decimal = field(description="Its cash: the sum of its ledger.")
    equity: Decimal = field(description="Its cash and the open profit.")
    unrealised: Decimal = field(description="The profit of its open positions at the last mark.")
    realised: Decimal = field(description="The profit of what was closed, before fees.")
    fees: Decimal = field(description="The fees paid.")
    high_watermark: Decimal = field(description="Its highest equity.")
    seq: Long = field(description="Its version: the number of its ledger's last row.")
    chain_head: str = field(description="The hash of its ledger's last row, in hex.")
    marked_through: Long = field(description="The batch it was last marked at.")
    marked_at: datetime | None = field(description="That batch's market time.")
    created_at: datetime = field(description="When it was made.")
    started_at: datetime | None = field(description="When it started.")
    ended_at: datetime | None = field(description="When it ended.")
    policy: JSON = field(description="The execution policy it was opened with.")
    challenge_id: strawberry.Private[int | None]
    parent_id: strawberry.Private[int | None]
    result_text: strawberry.Private[str | None]

    @computed("Its number again: what to log in with.")
    def login(self) -> str:
        return str(self.id)

    @computed("Its cash again, in the words of charts.")
    def balance(self) -> Decimal:
        return self.cash

    @computed("The account group it was opened in.")
    def group(self) -> str:
        return self.group_name

    @computed("The challenge it belongs to.")
    async def challenge(self, info: Info) -> Annotated["Challenge", strawberry.lazy("schema.challenges")] | None:
        return await read_one(info, CHALLENGES, self.challenge_id)

    @computed("The account it descends from.")
    async def parent(self, info: Info) -> Annotated["Account", strawberry.lazy("schema.accounts")] | None:
        return await read_one(info, ACCOUNTS, self.parent_id)

    @computed("The accounts that descend from it, newest first.")
    async def children(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[Annotated["Account", strawberry.lazy("schema.accounts")]]:
        return await read_owned_page(info, ACCOUNTS, ("parent", int(self.id)), page_request(ACCOUNTS, first, after))

    @computed("Its final figures; null until it has ended.")
    def result(self) -> AccountResult | None:
        return AccountResult.of(self.result_text) if self.result_text else None

    @computed("Why it is in quarantine, where it cannot be read or computed; null for any other.")
    async def quarantine(self, info: Info) -> QuarantinedAccount | None:
        entry = await info.context.loaders.quarantine(int(self.id))
        return None if entry is None else QuarantinedAccount.of(entry)

    @computed("It at the newest market: what marking it now would give, with nothing written. Null in quarantine.")
    async def snapshot(self, info: Info) -> AccountSnapshot | None:
        return AccountSnapshot.of(await info.context.loaders.snapshot(int(self.id)))

    @computed("What it may do now, how much of it, and what has become of its last actions. Null in quarantine.")
    async def decision_context(
        self,
        info: Info,
        symbols: Annotated[
            list[str] | None, strawberry.argument(description="Of these instruments only, at most 100.")
        ] = None,
    ) -> DecisionContext | None:
        return DecisionContext.of(await info.context.loaders.context(int(self.id), symbols_of(symbols)))

    @computed("Its positions, open and closed, by when they were opened.")
    async def positions(
        self,
        info: Info,
        first: First = 20,
        after: After = None,
        where: Positions = None,
        order_by: Newest = HistoryOrder.NEWEST_FIRST,
    ) -> Connection[Position]:
        request = _in_order(POSITIONS, first, after, order_by)
        return await read_owned_page(info, POSITIONS, ("account", int(self.id)), request, filters_of(where))

    @computed("Its orders, by when they were placed.")
    async def orders(
        self,
        info: Info,
        first: First = 20,
        after: After = None,
        where: Orders = None,
        order_by: Newest = HistoryOrder.NEWEST_FIRST,
    ) -> Connection[Order]:
        request = _in_order(ORDERS, first, after, order_by)
        return await read_owned_page(info, ORDERS, ("account", int(self.id)), request, filters_of(where))

    @computed("Its fills.")
    async def fills(
        self,
        info: Info,
        first: First = 20,
        after: After = None,
        where: Fills = None,
        order_by: Newest = HistoryOrder.NEWEST_FIRST,
    ) -> Connection[Fill]:
        request = _in_order(FILLS, first, after, order_by)
        return await read_owned_page(info, FILLS, ("account", int(self.id)), request, filters_of(where))

    @computed("The decision actions recorded for it, executed and rejected; a caller finds its own by run and action.")
    async def decision_actions(
        self,
        info: Info,
        first: First = 20,
        after: After = None,
        where: Actions = None,
        order_by: Newest = HistoryOrder.NEWEST_FIRST,
    ) -> Connection[Annotated["DecisionActionResult", strawberry.lazy("schema.actions")]]:
        request = _in_order(ACTIONS, first, after, order_by)
        return await read_owned_page(info, ACTIONS, ("account", int(self.id)), request, filters_of(where))

    @computed("Its history.")
    async def ledger(
        self,
        info: Info,
        first: FirstLong = 20,
        after: After = None,
        where: Ledgers = None,
        order_by: Newest = HistoryOrder.NEWEST_FIRST,
    ) -> Connection[LedgerEvent]:
        _require_kinds(where.kind if where else None)
        request = _in_order(LEDGER, first, after, order_by, LONG)
        return await read_owned_page(info, LEDGER, ("account", int(self.id)), request, filters_of(where))


@strawberry.input(description="The account to be marked.")
class MarkAccountToMarketInput:
    account_id: ID = field(description="The account.")


@strawberry.type(description="What was marked.")
class MarkPayload(Payload):
    accounts: int = field(default=0, description="How many accounts were brought to the newest batch.")


@strawberry.type(description="The marked account.")
class MarkAccountToMarketPayload(MarkPayload):
    account: Account | None = field(default=None, description="The account as it is now; null if it was not marked.")


@strawberry.type(description="The marked accounts.")
class MarkAllToMarketPayload(MarkPayload):
    failed: int = field(default=0, description="How many could not be marked; the ledger of each says why.")


@strawberry.input(description="Which accounts.")
class AccountFilter:
    brand: str | None = field(default=None, description="Of this brand.")
    status: list[AccountStatus] | None = field(default=None, description="In one of these states.")
    mode: list[Mode] | None = field(default=None, description="For one of these purposes.")
    owner: str | None = field(default=None, description="Traded for this client.")
    clone: str | None = field(default=None, description="Traded by this AI.")
    group: str | None = field(default=None, description="Opened in the group of this name.")
    parent_id: ID | None = field(default=None, description="Descended from this account.")
    challenge_id: ID | None = field(default=None, description="Of this challenge.")
    text: str | None = field(
        default=None, description="With this number, or with this in the name of its owner, clone or group."
    )
