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


@strawberry.type(description="A validated order.")
class Order(FromRow, listing=ORDERS):
    id: ID = field(description="Its name: account-seq.")
    seq: Long = field(description="The ledger row that placed it.")
    action_id: ID | None = field(description="The decision action it came from; null for a forced one.")
    symbol: str = field(description="The instrument.")
    side: Side = field(description="The side of the position.")
    verb: Verb = field(description="What it does to the position.")
    type: OrderType = field(description="Whether it was filled at once or rests, and for what.")
    price: Decimal | None = field(description="The price it rests at, in the quote currency; null for MARKET.")
    stop_loss: Decimal | None = field(description="The stop-loss its fill brings to life.")
    take_profit: Decimal | None = field(description="The take-profit its fill brings to life.")
    quantity: Decimal = field(
        description="How much. A working order with the verb CLOSE closes all of the position, whatever it is by then; "
        "one with REDUCE at most what is left of it."
    )
    status: OrderStatus = field(description="Its state.")
    reason: str = field(description="ACTION, or what forced it.")
    placed_at: datetime = field(description="When it was placed, by the market's clock.")
    batch: Long = field(description="The batch it was placed at.")
    ended_at: datetime | None = field(description="When it was filled, cancelled or rejected, by the market's clock.")
    outcome: JSON = field(
        description="Why it was cancelled (`reason`), or what stopped it when it triggered "
        "(`code`, `limit`, `observed`, and the quote: `bid`, `ask`, `source_time`)."
    )

    origin_id: ID | None = field(description="The first version of an amended order; null for that itself.")

    @computed("The earlier versions of an amended order with their prices, newest first; at most 100.")
    async def history(self, info: Info) -> list[Annotated["Order", strawberry.lazy("schema.orders")]]:
        first = parse_ledger_id(self.origin_id) if self.origin_id else None
        if first is None:
            return []
        account, origin = first
        filters = (("version_of", (origin, origin)), ("before", (self.seq,)))
        page = await info.context.loaders.page(ORDERS, "account", account, PageRequest(VERSIONS_MAX), filters)
        return [object_of_row(ORDERS, row) for row in page.rows]
