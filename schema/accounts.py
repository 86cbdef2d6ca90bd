"""Trading accounts with their positions, fills, ledger and result."""

import json
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Self

import strawberry
from strawberry import ID, field
from strawberry.scalars import JSON

from domain.accounts import Mode
from domain.lifecycles import AccountStatus
from schema.account_history import (
    Actions,
    Fill,
    Fills,
    LedgerEvent,
    Ledgers,
    Orders,
    Position,
    Positions,
    SortOrder,
    history_request,
    require_ledger_kinds,
)
from schema.decision_context import DecisionContext, symbols_of
from schema.engine.computed_fields import computed
from schema.engine.paging import (
    LONG,
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
from services.views.lists import ACCOUNTS, ACTIONS, CHALLENGES, FILLS, LEDGER, ORDERS, POSITIONS

if TYPE_CHECKING:
    from schema.actions import DecisionActionResult
    from schema.challenges import Challenge


RESULT_AMOUNTS = ("starting_balance", "balance", "equity", "realised", "fees", "profit", "high_watermark")


@strawberry.type(
    description="Final figures of an account that has ended, in the account's currency; they never change."
)
class AccountResult:
    starting_balance: Decimal = field(description="Balance with which the account began.")
    balance: Decimal = field(description="Cash balance at the end.")
    equity: Decimal = field(description="Equity at the end, equal to `balance`: an ended account has no positions.")
    realised: Decimal = field(description="Profit or loss of all trades, before fees.")
    fees: Decimal = field(description="Fees paid.")
    profit: Decimal = field(description="Net profit or loss: realised minus fees, without deposits and withdrawals.")
    high_watermark: Decimal = field(description="Highest equity of the account's lifetime.")
    fills: int = field(description="Number of fills, without voided ones.")
    started_at: datetime | None = field(description="Market time of the start; null if it never started.")
    ended_at: datetime = field(description="Market time at which the account ended.")

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the result from its stored JSON."""
        kept = json.loads(text)
        figures: dict[str, Any] = {name: Decimal(kept[name]) for name in RESULT_AMOUNTS}
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
    blocked_until: datetime | None = field(description="End of a ban on opening or increasing positions; null if none.")
    group_name: strawberry.Private[str]
    currency: str = field(description="Currency code of all amounts.")
    owner: str | None = field(description="Client for whom the account is traded; null if none.")
    clone: str | None = field(description="AI that trades the account; null if none.")
    starting_balance: Decimal = field(description="Balance with which the account began.")
    cash: Decimal = field(description="Cash balance: the sum of all ledger amounts, without open profit.")
    equity: Decimal = field(description="Equity: cash plus open profit or loss.")
    unrealised: Decimal = field(
        description="Open profit or loss of all positions at the last mark, before closing fees."
    )
    realised: Decimal = field(description="Profit or loss of closed quantities, before fees.")
    fees: Decimal = field(description="Fees paid so far.")
    high_watermark: Decimal = field(description="Highest equity so far.")
    seq: Long = field(description="Version of the account: the number of its last ledger row.")
    chain_head: str = field(description="Hash of the last ledger row, in hex.")
    marked_through: Long = field(description="Batch of quotes at which the account was last marked.")
    marked_at: datetime | None = field(description="Market time of the last mark; null before the first.")
    created_at: datetime = field(description="Time at which the account was created.")
    started_at: datetime | None = field(description="Market time of the start; null while the account is pending.")
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
        "Actions the account may take now, how large they may be, and the results of its latest actions; null in "
        "quarantine."
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
        order_by: SortOrder = HistoryOrder.NEWEST_FIRST,
    ) -> Connection[Position]:
        request = history_request(POSITIONS, first, after, order_by)
        return await read_owned_page(info, POSITIONS, ("account", int(self.id)), request, filters_of(where))

    @computed("Orders, sorted by placement.")
    async def orders(
        self,
        info: Info,
        first: First = 20,
        after: After = None,
        where: Orders = None,
        order_by: SortOrder = HistoryOrder.NEWEST_FIRST,
    ) -> Connection[Order]:
        request = history_request(ORDERS, first, after, order_by)
        return await read_owned_page(info, ORDERS, ("account", int(self.id)), request, filters_of(where))

    @computed("Fills, sorted by time.")
    async def fills(
        self,
        info: Info,
        first: First = 20,
        after: After = None,
        where: Fills = None,
        order_by: SortOrder = HistoryOrder.NEWEST_FIRST,
    ) -> Connection[Fill]:
        request = history_request(FILLS, first, after, order_by)
        return await read_owned_page(info, FILLS, ("account", int(self.id)), request, filters_of(where))

    @computed(
        "Decision actions recorded for the account, executed and rejected. Filter by run and action id to find one's "
        "own."
    )
    async def decision_actions(
        self,
        info: Info,
        first: First = 20,
        after: After = None,
        where: Actions = None,
        order_by: SortOrder = HistoryOrder.NEWEST_FIRST,
    ) -> Connection[Annotated["DecisionActionResult", strawberry.lazy("schema.actions")]]:
        request = history_request(ACTIONS, first, after, order_by)
        return await read_owned_page(info, ACTIONS, ("account", int(self.id)), request, filters_of(where))

    @computed("Rows of the account's ledger.")
    async def ledger(
        self,
        info: Info,
        first: FirstLong = 20,
        after: After = None,
        where: Ledgers = None,
        order_by: SortOrder = HistoryOrder.NEWEST_FIRST,
    ) -> Connection[LedgerEvent]:
        require_ledger_kinds(where.kind if where else None)
        request = history_request(LEDGER, first, after, order_by, LONG)
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
    failed: int = field(default=0, description="Number of accounts not marked; the ledger of each gives the reason.")


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
