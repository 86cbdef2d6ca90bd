"""Quotes."""

from typing import Annotated

import strawberry

from schema.arguments import Input
from schema.context import Info
from schema.filters import usable
from schema.paging import LONG
from schema.permissions import mutation, query
from schema.quotes import DroppedQuote, IngestQuotesInput, IngestQuotesPayload, Quote
from schema.rows import shape
from services import quotes
from services.principals import Role
from services.views import lists
from services.views.lists import QUOTES, Window

Symbols = Annotated[list[str] | None, strawberry.argument(description="Of these instruments; left out, all.")]


@strawberry.type
class QuoteQuery:
    @query("The newest quote of each symbol that has one, by symbol.")
    async def quotes(self, info: Info, symbols: Symbols = None) -> list[Quote]:
        filters = () if symbols is None else (("symbols", (tuple(usable("symbols", one) for one in symbols),)),)
        page = await lists.page(info.context.principal, QUOTES, filters, Window(LONG))
        return [shape(QUOTES, row) for row in page.rows]


@strawberry.type
class QuoteMutation:
    @mutation("Take in quotes; what cannot be used is dropped, counted and answered.", Role.FEED, Role.ADMIN)
    async def ingest_quotes(self, info: Info, given: Input[IngestQuotesInput]) -> IngestQuotesPayload:
        taken = await quotes.ingest(given.quotes, info.context.principal)
        return IngestQuotesPayload(
            batches=taken.batches,
            newest_batch=taken.newest_batch,
            accepted=taken.accepted,
            dropped=[
                DroppedQuote(symbol=symbol, reason=reason, count=count) for symbol, reason, count in taken.dropped
            ],
        )
