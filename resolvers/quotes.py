"""Root fields for quotes."""

from typing import Annotated

import strawberry

from schema.arguments import Filter, Input
from schema.engine.paging import LONG, After, Connection, FirstLong, page_request, read_page
from schema.engine.permissions import mutation, query
from schema.engine.request_context import Info
from schema.engine.row_types import object_of_row
from schema.filters import filters_of
from schema.quotes import (
    DroppedQuote,
    IngestQuotesInput,
    IngestQuotesPayload,
    PastQuote,
    Quote,
    QuoteHistoryFilter,
    SuspectQuotes,
)
from services import quotes
from services.principals import Role
from services.views import lists
from services.views.lists import QUOTE_HISTORY, QUOTES, PageRequest

READERS = (Role.ADMIN, Role.MANAGER, Role.CLIENT, Role.TRADER)
Symbol = Annotated[str, strawberry.argument(description="Instrument symbol.")]
Symbols = Annotated[list[str] | None, strawberry.argument(description="Only these instruments; all if left out.")]


@strawberry.type
class QuoteQuery:
    @query("Newest quote of each instrument that has one, sorted by symbol.")
    async def quotes(self, info: Info, symbols: Symbols = None) -> list[Quote]:
        filters = () if symbols is None else (("symbols", (tuple(symbols),)),)
        page = await lists.list_page(info.context.principal, QUOTES, filters, PageRequest(LONG))
        return [object_of_row(QUOTES, row) for row in page.rows]

    @query("Accepted quotes of an instrument that are still kept, newest first.", *READERS)
    async def quote_history(
        self,
        info: Info,
        symbol: Symbol,
        first: FirstLong = 20,
        after: After = None,
        where: Filter[QuoteHistoryFilter] = None,
    ) -> Connection[PastQuote]:
        times = tuple((name, (*values, symbol)) for name, values in filters_of(where))
        filters = (("symbol", (symbol,)), *times)
        return await read_page(info, QUOTE_HISTORY, page_request(QUOTE_HISTORY, first, after, most=LONG), filters)


@strawberry.type
class QuoteMutation:
    @mutation(
        "Submit quotes. Unusable quotes are dropped and reported; suspect quotes may be held back.",
        Role.FEED,
        Role.ADMIN,
    )
    async def ingest_quotes(self, info: Info, data: Input[IngestQuotesInput]) -> IngestQuotesPayload:
        receipt = await quotes.ingest(data.quotes, info.context.principal, data.quotes.unreadable)
        return IngestQuotesPayload(
            batches=receipt.batches,
            newest_batch=receipt.newest_batch,
            accepted=receipt.accepted,
            rounded=receipt.rounded,
            dropped=[
                DroppedQuote(symbol=symbol, reason=reason, count=count) for symbol, reason, count in receipt.dropped
            ],
            suspect=[
                SuspectQuotes(symbol=symbol, finding=finding, held=held, count=count)
                for symbol, finding, held, count in receipt.suspect
            ],
        )
