"""Positions, fills and ledger rows of an account, with the filters and sort orders of its histories."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry
from strawberry import ID, field
from strawberry.scalars import JSON

from domain.conversion import names_of
from domain.holdings import age_seconds
from domain.ledger import Kind
from domain.lifecycles import ActionStatus, FillStatus, OrderStatus, PositionStatus
from domain.money import ZERO, divide, round_price
from domain.orders import OrderType, Verb
from domain.positions import Side
from schema.engine.computed_fields import computed
from schema.engine.errors import BadUserInput
from schema.engine.paging import SHORT, page_request
from schema.engine.row_types import FromRow
from schema.engine.scalars import Long
from schema.enums import HistoryOrder
from services.views.lists import FILLS, LEDGER, POSITIONS, Listing, PageRequest


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
    cost_basis: Decimal = field(description="Cost of the open quantity in the quote currency, up to 18 decimal places.")
    realised: Decimal = field(description="Realised profit or loss before fees, in the account's currency.")
    fees: Decimal = field(description="Fees paid on the position, in the account's currency.")
    opened_at: datetime = field(description="Market time of the opening fill.")
    closed_at: datetime | None = field(description="Market time of the closing fill; null while the position is open.")

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
        description="Fee in the account's currency: the position's total fees, rounded up, after the fill minus "
        "before it."
    )
    rate: Decimal = field(description="Conversion rate: account currency per quote currency, up to 18 decimal places.")
    realised: Decimal = field(
        description="Profit or loss of the fill, before its fee, in the account's currency: the position's total "
        "profit, rounded, after the fill minus before it."
    )
    filled_at: datetime = field(description="Market time of the fill.")
    batch: Long = field(description="Batch of quotes at which the order was filled.")
    quote_time: datetime = field(description="Source time of the quote used.")
    rate_time: datetime | None = field(description="Source time of the rate's older quote; null without conversion.")
    rate_stale: bool = field(description="True if the conversion rate was too old to open or increase a position.")
    rate_names: strawberry.Private[str]

    @computed("Symbols used for the conversion: up to two, none if not needed.")
    def rate_pairs(self) -> list[str]:
        return names_of(self.rate_names)

    @computed("Age of the rate at the fill, in seconds; null without conversion.")
    def rate_age_seconds(self) -> int | None:
        return None if self.rate_time is None else age_seconds(self.rate_time, self.filled_at)


@strawberry.type(description="A row of an account's append-only ledger.")
class LedgerEvent(FromRow, listing=LEDGER):
    id: ID = field(description="Ledger row id: `<account number>-<seq>`.")
    account_id: ID = field(description="Account number.")
    seq: Long = field(
        description="Number of the row in the account's ledger, counted from 1 without gaps; the account's version "
        "after the event."
    )
    kind: str = field(description="Kind of event, such as a fill or a fee.")
    amount: Decimal = field(description="Change of the cash balance, in the account's currency; may be 0 or negative.")
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
    opened_from: datetime | None = field(default=None, description="Only positions opened at or after this time.")
    opened_before: datetime | None = field(default=None, description="Only positions opened before this time.")


@strawberry.input(description="Filter for orders.")
class OrderFilter:
    status: list[OrderStatus] | None = field(default=None, description="Only orders in one of these states.")
    symbol: str | None = field(default=None, description="Only orders for this instrument.")
    side: Side | None = field(default=None, description="Only orders for positions on this side.")
    verb: list[Verb] | None = field(default=None, description="Only orders with one of these effects on the position.")
    type: list[OrderType] | None = field(default=None, description="Only orders of one of these types.")
    placed_from: datetime | None = field(default=None, description="Only orders placed at or after this time.")
    placed_before: datetime | None = field(default=None, description="Only orders placed before this time.")


@strawberry.input(description="Filter for fills.")
class FillFilter:
    status: list[FillStatus] | None = field(default=None, description="Only fills in one of these states.")
    symbol: str | None = field(default=None, description="Only fills of this instrument.")
    side: Side | None = field(default=None, description="Only fills for positions on this side.")
    verb: list[Verb] | None = field(default=None, description="Only fills with one of these effects on the position.")
    filled_from: datetime | None = field(default=None, description="Only fills at or after this time.")
    filled_before: datetime | None = field(default=None, description="Only fills before this time.")


@strawberry.input(description="Filter for ledger rows.")
class LedgerFilter:
    kind: list[str] | None = field(
        default=None, description="Only rows of one of these kinds, spelt as in `kind` of a ledger row."
    )
    market_time_from: datetime | None = field(default=None, description="Only rows at or after this time.")
    market_time_before: datetime | None = field(default=None, description="Only rows before this time.")


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
    market_time_from: datetime | None = field(default=None, description="Only actions judged at or after this time.")
    market_time_before: datetime | None = field(default=None, description="Only actions judged before this time.")


SortOrder = Annotated[
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


def require_ledger_kinds(kinds: list[str] | None) -> None:
    """Raise BadUserInput for a kind that the ledger does not have."""
    if unknown := set(kinds or ()) - set(Kind):
        raise BadUserInput(f"Ledger kind {min(unknown)[:64]!r} does not exist; use one of {', '.join(sorted(Kind))}.")


def history_request(
    listing: Listing, first: int, after: str | None, order: HistoryOrder, most: int = SHORT
) -> PageRequest:
    return page_request(listing, first, after, most=most, reverse=order is HistoryOrder.OLDEST_FIRST)
