"""Trading accounts with their positions, fills, ledger and result."""

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
    description="A position, open or closed, in one instrument on one side. `costBasis` is in the instrument's quote "
    "currency."
)
class Position(FromRow, listing=POSITIONS):
    id: ID = field(description="Position id: `<account number>-<seq>`.")
    seq: Long = field(description="Number of the ledger row that opened the position.")
    symbol: str = field(description="Instrument symbol.")
    side: Side = field(description="LONG or SHORT.")
    status: PositionStatus = field(description="State of the position.")
    quantity: Decimal = field(description="Quantity still open, in units of the instrument; positive on both sides.")
    cost_basis: Decimal = field(
        description="Cost of the open quantity in the quote currency, with up to 18 decimal places."
    )
    realised: Decimal = field(
        description="Profit or loss realised by reducing and closing, before fees, in the account's currency."
    )
    fees: Decimal = field(description="Fees paid on the position, in the account's currency.")
    opened_at: datetime = field(description="Market time of the opening fill.")
    closed_at: datetime | None = field(
        description="Market time of the fill that closed the position completely; null while it is open."
    )

    @computed("Average entry price in the quote currency; 0 once the position is closed.")
    def average_entry(self) -> Decimal:
        return round_price(divide(self.cost_basis, self.quantity)) if self.quantity else ZERO


@strawberry.type(description="A trade: the execution of an order.")
class Fill(FromRow, listing=FILLS):
    id: ID = field(description="Fill id: `<account number>-<seq>`.")
    seq: Long = field(description="Number of the ledger row that booked the fill.")
    order_id: ID = field(description="Order that was executed.")
    position_id: ID = field(description="Position that the fill changed.")
    symbol: str = field(description="Instrument symbol.")
    side: Side = field(description="Side of the position.")
    verb: Verb = field(description="Effect on the position: open, increase, reduce or close.")
    status: FillStatus = field(description="State of the fill: booked, or voided by a correction.")
    quantity: Decimal = field(description="Quantity in units of the instrument; positive.")
    price: Decimal = field(description="Execution price in the quote currency.")
    fee: Decimal = field(
        description="Fee in the account's currency: the position's total fees, rounded up, after the fill minus before "
        "it."
    )
    rate: Decimal = field(
        description="Conversion rate: worth of one unit of the quote currency in the account's currency, with up to 18 "
        "decimal places."
    )
    realised: Decimal = field(
        description="Profit or loss realised by the fill, before its fee, in the account's currency: the position's "
        "total profit, rounded, after the fill minus before it."
    )
    filled_at: datetime = field(description="Market time of the fill.")
    batch: Long = field(description="Batch of quotes at which the order was filled.")
    quote_time: datetime = field(description="Source time of the quote used.")
    rate_time: datetime | None = field(
        description="Source time of the older quote used for the conversion rate; null if no conversion was needed."
    )
    rate_stale: bool = field(
        description="True if the conversion rate was the last known one and too old to open or increase a position."
    )
    rate_names: strawberry.Private[str]

    @computed(
        "Symbols of the instruments used for the conversion: none if no conversion was needed, two if it "
        "went through a third currency."
    )
    def rate_pairs(self) -> list[str]:
        return names_of(self.rate_names)

    @computed("Age of the conversion rate at the fill, in whole seconds; null if no conversion was needed.")
    def rate_age_seconds(self) -> int | None:
        return None if self.rate_time is None else age_seconds(self.rate_time, self.filled_at)


@strawberry.type(description="A row of an account's append-only ledger.")
class LedgerEvent(FromRow, listing=LEDGER):
    id: ID = field(description="Ledger row id: `<account number>-<seq>`.")
    account_id: ID = field(description="Account number.")
    seq: Long = field(
        description="Number of the row in the account's ledger, counted from 1 without gaps; the account's "
        "version after "
        "the event."
    )
    kind: str = field(description="Kind of event, such as a fill or a fee.")
    amount: Decimal = field(
        description="Change of the cash balance in the account's currency: positive in, negative out; may be 0."
    )
    balance_after: Decimal = field(description="Cash balance after the event, in the account's currency.")
    market_time: datetime = field(description="Market time of the event.")
    recorded_at: datetime = field(description="Time at which the row was written.")
    batch: Long = field(description="Newest batch of quotes at the time of the event.")
    facts: JSON = field(description="Further facts about the event, depending on its kind.")
    hash: str = field(description="SHA-256 hash, in hex, over the previous row's hash and this row.")


@strawberry.input(description="Filter for positions.")
class PositionFilter:
    status: list[PositionStatus] | None = field(default=None, description="Only positions in one of these states.")
    symbol: str | None = field(default=None, description="Only positions in this instrument.")
    side: Side | None = field(default=None, description="Only positions on this side.")
    opened_from: datetime | None = field(
        default=None, description="Only positions opened at or after this market time."
    )
    opened_before: datetime | None = field(default=None, description="Only positions opened before this market time.")


@strawberry.input(description="Filter for orders.")
class OrderFilter:
    status: list[OrderStatus] | None = field(default=None, description="Only orders in one of these states.")
    symbol: str | None = field(default=None, description="Only orders for this instrument.")
    side: Side | None = field(default=None, description="Only orders for positions on this side.")
    verb: list[Verb] | None = field(default=None, description="Only orders with one of these effects on the position.")
    type: list[OrderType] | None = field(default=None, description="Only orders of one of these types.")
    placed_from: datetime | None = field(default=None, description="Only orders placed at or after this market time.")
    placed_before: datetime | None = field(default=None, description="Only orders placed before this market time.")


@strawberry.input(description="Filter for fills.")
class FillFilter:
    status: list[FillStatus] | None = field(default=None, description="Only fills in one of these states.")
    symbol: str | None = field(default=None, description="Only fills of this instrument.")
    side: Side | None = field(default=None, description="Only fills for positions on this side.")
    verb: list[Verb] | None = field(default=None, description="Only fills with one of these effects on the position.")
    filled_from: datetime | None = field(default=None, description="Only fills at or after this market time.")
    filled_before: datetime | None = field(default=None, description="Only fills before this market time.")


@strawberry.input(description="Filter for ledger rows.")
class LedgerFilter:
    kind: list[str] | None = field(
        default=None, description="Only rows of one of these kinds, spelt as in `kind` of a ledger row."
    )
    market_time_from: datetime | None = field(default=None, description="Only rows at or after this market time.")
    market_time_before: datetime | None = field(default=None, description="Only rows before this market time.")


@strawberry.input(description="Filter for decision actions.")
class DecisionActionFilter:
    run_id: str | None = field(
        default=None, description="Only actions of this run, the name that the caller gave a session."
    )
    action_id: str | None = field(
        default=None, description="Only the action with this id, which the caller chose; it is unique within its run."
    )
    status: list[ActionStatus] | None = field(default=None, description="Only actions in one of these states.")
    symbol: str | None = field(default=None, description="Only actions for this instrument.")
    code: str | None = field(default=None, description="Only actions refused by the gate with this code.")
    market_time_from: datetime | None = field(
        default=None, description="Only actions judged at or after this market time."
    )
    market_time_before: datetime | None = field(
        default=None, description="Only actions judged before this market time."
    )


Newest = Annotated[
    HistoryOrder,
    strawberry.argument(description="Sort order. A cursor is valid only for the order in which it was returned."),
]
Positions = Annotated[PositionFilter | None, strawberry.argument(name="filter", description="Filter for positions.")]
Orders = Annotated[OrderFilter | None, strawberry.argument(name="filter", description="Filter for orders.")]
Fills = Annotated[FillFilter | None, strawberry.argument(name="filter", description="Filter for fills.")]
Ledgers = Annotated[LedgerFilter | None, strawberry.argument(name="filter", description="Filter for ledger rows.")]
Actions = Annotated[
    DecisionActionFilter | None, strawberry.argument(name="filter", description="Filter for decision actions.")
]


def _require_kinds(kinds: list[str] | None) -> None:
    """Raise BadUserInput for a kind that the ledger does not have."""
    if unknown := set(kinds or ()) - set(Kind):
        raise BadUserInput(f"Ledger kind {min(unknown)[:64]!r} does not exist; use one of {', '.join(sorted(Kind))}.")


def _in_order(listing: Listing, first: int, after: str | None, order: HistoryOrder, most: int = SHORT) -> PageRequest:
    return page_request(listing, first, after, most=most, reverse=order is HistoryOrder.OLDEST_FIRST)


AMOUNTS = ("starting_balance", "balance", "equity", "realised", "fees", "profit", "high_watermark")


@strawberry.type(
    description="Final figures of an account that has ended, in the account's currency; they never change."
)
class AccountResult:
    starting_balance: Decimal = field(description="Balance with which the account began.")
    balance: Decimal = field(description="Cash balance at the end.")
    equity: Decimal = field(
        description="Equity at the end. Equal to `balance`, because an account ends without open positions."
    )
    realised: Decimal = field(description="Profit or loss of all trades, before fees.")
    fees: Decimal = field(description="Fees paid.")
    profit: Decimal = field(
        description="Net trading profit or loss: realised minus fees, without deposits and withdrawals."
    )
    high_watermark: Decimal = field(description="Highest equity of the account's lifetime.")
    fills: int = field(description="Number of fills, without voided ones.")
    started_at: datetime | None = field(
        description="Market time at which the account started; null if it never started."
    )
    ended_at: datetime = field(description="Market time at which the account ended.")

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the result from its stored JSON."""
        kept = json.loads(text)
        figures: dict[str, Any] = {name: Decimal(kept[name]) for name in AMOUNTS}
        for name in ("started_at", "ended_at"):
            figures[name] = kept[name] and datetime.fromisoformat(kept[name])
        return cls(fills=kept["fills"], **figures)


@strawberry.type(description="A synthetic trading account. All amounts are in its currency, as of its last mark.")
class Account(FromRow, listing=ACCOUNTS):
    id: ID = field(description="Account number.")
    brand: str = field(description="Name of the brand that owns the account.")
    mode: Mode = field(description="Purpose of the account.")
    status: AccountStatus = field(description="State of the account.")
    read_only: bool = field(description="True if the account accepts no more actions, for example after a verdict.")
    blocked_until: datetime | None = field(
        description="Time until which no position may be opened or increased; null if not blocked."
    )
    group_name: strawberry.Private[str]
    currency: str = field(description="Currency code of all amounts.")
    owner: str | None = field(description="Client for whom the account is traded; null if none.")
    clone: str | None = field(description="AI that trades the account; null if none.")
    starting_balance: Decimal = field(description="Balance with which the account began.")
    cash: Decimal = field(description="Cash balance: the sum of all ledger amounts, without open profit.")
    equity: Decimal = field(description="Equity: cash plus open profit or loss.")
    unrealised: Decimal = field(
        description="Open profit or loss of all positions at the last mark, before fees of closing."
    )
    realised: Decimal = field(description="Profit or loss of closed quantities, before fees.")
    fees: Decimal = field(description="Fees paid so far.")
    high_watermark: Decimal = field(description="Highest equity so far.")
    seq: Long = field(description="Version of the account: the number of its last ledger row.")
    chain_head: str = field(description="Hash of the last ledger row, in hex.")
    marked_through: Long = field(description="Batch of quotes at which the account was last marked.")
    marked_at: datetime | None = field(description="Market time of that batch; null before the first mark.")
    created_at: datetime = field(description="Time at which the account was created.")
    started_at: datetime | None = field(
        description="Market time at which the account started; null while it is pending."
    )
    ended_at: datetime | None = field(description="Market time at which the account ended; null until then.")
    policy: JSON = field(description="Execution policy with which the account was opened.")
    challenge_id: strawberry.Private[int | None]
    parent_id: strawberry.Private[int | None]
    result_text: strawberry.Private[str | None]

    @computed("Account number used as the login. The same as `id`.")
    def login(self) -> str:
        return str(self.id)

    @computed("Balance: cash without open profit. The same as `cash`.")
    def balance(self) -> Decimal:
        return self.cash

    @computed("Name of the account group in which the account was opened.")
    def group(self) -> str:
        return self.group_name

    @computed("Challenge to which the account belongs; null if none.")
    async def challenge(self, info: Info) -> Annotated["Challenge", strawberry.lazy("schema.challenges")] | None:
        return await read_one(info, CHALLENGES, self.challenge_id)

    @computed("Account from which this one descends; null if none.")
    async def parent(self, info: Info) -> Annotated["Account", strawberry.lazy("schema.accounts")] | None:
        return await read_one(info, ACCOUNTS, self.parent_id)

    @computed("Accounts that descend from this one, newest first.")
    async def children(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[Annotated["Account", strawberry.lazy("schema.accounts")]]:
        return await read_owned_page(info, ACCOUNTS, ("parent", int(self.id)), page_request(ACCOUNTS, first, after))

    @computed("Final figures; null until the account has ended.")
    def result(self) -> AccountResult | None:
        return AccountResult.of(self.result_text) if self.result_text else None

    @computed(
        "Reason for the quarantine of an account that cannot be read or computed; null if it is not in quarantine."
    )
    async def quarantine(self, info: Info) -> QuarantinedAccount | None:
        entry = await info.context.loaders.quarantine(int(self.id))
        return None if entry is None else QuarantinedAccount.of(entry)

    @computed("Account valued at the newest quotes, without writing anything; null in quarantine.")
    async def snapshot(self, info: Info) -> AccountSnapshot | None:
        return AccountSnapshot.of(await info.context.loaders.snapshot(int(self.id)))

    @computed(
        "Actions the account may take now, how large they may be, and the results of its latest actions; "
        "null in quarantine."
    )
    async def decision_context(
        self,
        info: Info,
        symbols: Annotated[
            list[str] | None,
            strawberry.argument(
                description="Only these instruments, at most 100; all that the policy allows if left out."
            ),
        ] = None,
    ) -> DecisionContext | None:
        return DecisionContext.of(await info.context.loaders.context(int(self.id), symbols_of(symbols)))

    @computed("Positions, open and closed, sorted by opening.")
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

    @computed("Orders, sorted by placement.")
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

    @computed("Fills, sorted by time.")
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

    @computed(
        "Decision actions recorded for the account, executed and rejected. Filter by run and action id to "
        "find one's own."
    )
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

    @computed("Rows of the account's ledger.")
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


@strawberry.input(description="Account to mark.")
class MarkAccountToMarketInput:
    account_id: ID = field(description="Account number.")


@strawberry.type(description="Result of marking accounts.")
class MarkPayload(Payload):
    accounts: int = field(default=0, description="Number of accounts marked at the newest batch of quotes.")


@strawberry.type(description="Result of marking one account.")
class MarkAccountToMarketPayload(MarkPayload):
    account: Account | None = field(default=None, description="Account after the mark; null if it was not marked.")


@strawberry.type(description="Result of marking all live accounts.")
class MarkAllToMarketPayload(MarkPayload):
    failed: int = field(
        default=0, description="Number of accounts that could not be marked; the ledger of each gives the reason."
    )


@strawberry.input(description="Filter for accounts.")
class AccountFilter:
    brand: str | None = field(default=None, description="Only accounts of this brand.")
    status: list[AccountStatus] | None = field(default=None, description="Only accounts in one of these states.")
    mode: list[Mode] | None = field(default=None, description="Only accounts with one of these purposes.")
    owner: str | None = field(default=None, description="Only accounts traded for this client.")
    clone: str | None = field(default=None, description="Only accounts traded by this AI.")
    group: str | None = field(default=None, description="Only accounts opened in the group of this name.")
    parent_id: ID | None = field(default=None, description="Only accounts that descend from this account.")
    challenge_id: ID | None = field(default=None, description="Only accounts of this challenge.")
    text: str | None = field(
        default=None, description="Only accounts with this number, or with this text in the owner, clone or group name."
    )
