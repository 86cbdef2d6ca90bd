"""Orders."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry
from strawberry import ID, field
from strawberry.scalars import JSON

from domain.lifecycles import OrderStatus
from domain.orders import OrderType, Verb
from domain.positions import Side
from schema.engine.computed_fields import computed
from schema.engine.ids import parse_ledger_id
from schema.engine.request_context import Info
from schema.engine.row_types import FromRow, object_of_row
from schema.engine.scalars import Long
from services.views.lists import ORDERS, PageRequest

VERSIONS_MAX = 100


@strawberry.type(description="An order that passed the gates.")
class Order(FromRow, listing=ORDERS):
    id: ID = field(description="Order id: `<account number>-<seq>`.")
    seq: Long = field(description="Number of the ledger row that placed the order.")
    action_id: ID | None = field(description="Decision action that placed the order; null if the desk placed it.")
    symbol: str = field(description="Instrument symbol.")
    side: Side = field(description="Side of the position.")
    verb: Verb = field(description="Effect of the order on the position.")
    type: OrderType = field(description="Order type.")
    price: Decimal | None = field(description="Trigger price in the quote currency; null for MARKET.")
    stop_loss: Decimal | None = field(
        description="Stop-loss price, in the quote currency, that is set when the order is filled; null if none."
    )
    take_profit: Decimal | None = field(
        description="Take-profit price, in the quote currency, that is set when the order is filled; null if none."
    )
    quantity: Decimal = field(
        description="Quantity in units of the instrument. A working order closes the whole position if its `verb` is "
        "CLOSE, whatever the position's size by then, and at most the rest of the position if it is REDUCE."
    )
    status: OrderStatus = field(description="State of the order.")
    reason: str = field(description="ACTION for an order of an action; otherwise why the desk placed it.")
    placed_at: datetime = field(description="Market time at which the order was placed.")
    batch: Long = field(description="Batch of quotes at which the order was placed.")
    ended_at: datetime | None = field(
        description="Market time of the fill, cancellation or rejection; null while working."
    )
    outcome: JSON = field(
        description="Reason for the cancellation (`reason`), or the gate that rejected the order when it triggered "
        "(`code`, `limit`, `observed`, and the quote: `bid`, `ask`, `source_time`)."
    )

    origin_id: ID | None = field(description="First version of an amended order; null if this is the first.")

    @computed("Earlier versions of an amended order with their prices, newest first; at most 100.")
    async def history(self, info: Info) -> list[Annotated["Order", strawberry.lazy("schema.orders")]]:
        first = parse_ledger_id(self.origin_id) if self.origin_id else None
        if first is None:
            return []
        account, origin = first
        filters = (("version_of", (origin, origin)), ("before", (self.seq,)))
        page = await info.context.loaders.page(ORDERS, "account", account, PageRequest(VERSIONS_MAX), filters)
        return [object_of_row(ORDERS, row) for row in page.rows]
