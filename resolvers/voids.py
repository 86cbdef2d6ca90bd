"""Void quotes, and the challenges that failed by them."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.voids import Span
from resolvers.read_back import read_back
from schema.arguments import Input
from schema.challenges import Challenge
from schema.engine.paging import After, Connection, First, page_request, read_page
from schema.engine.permissions import mutation, query
from schema.engine.request_context import Info
from schema.voids import QuoteVoid, VoidQuotesInput, VoidQuotesPayload
from services import voids
from services.principals import Role
from services.views.lists import CHALLENGES, QUOTE_VOIDS

STAFF = (Role.ADMIN, Role.MANAGER)
Symbol = Annotated[str, strawberry.argument(description="The instrument.")]
SymbolOrAll = Annotated[str | None, strawberry.argument(description="Of this instrument; left out, of all.")]
SourceFrom = Annotated[datetime, strawberry.argument(description="The first source time of the span.")]
SourceBefore = Annotated[datetime, strawberry.argument(description="The first source time after the span.")]


@strawberry.type
class VoidQuery:
    @query("Quotes that were declared void, the newest declaration first.", *STAFF)
    async def quote_voids(
        self, info: Info, symbol: SymbolOrAll = None, first: First = 20, after: After = None
    ) -> Connection[QuoteVoid]:
        filters = () if symbol is None else (("symbol", (symbol,)),)
        return await read_page(info, QUOTE_VOIDS, page_request(QUOTE_VOIDS, first, after), filters)

    @query(
        "Challenges that failed while a quote of the span moved what they held, or later, newest first; void or not. "
        "Those set aside already are among them. Whether the failure stands without the quotes, the preview of "
        "`reinstateChallenge` says.",
        *STAFF,
    )
    async def challenges_hit(
        self,
        info: Info,
        symbol: Symbol,
        source_from: SourceFrom,
        source_before: SourceBefore,
        first: First = 20,
        after: After = None,
    ) -> Connection[Challenge]:
        filters = await voids.hits(Span(symbol, source_from, source_before))
        return await read_page(info, CHALLENGES, page_request(CHALLENGES, first, after), filters)


@strawberry.type
class VoidMutation:
    @mutation("Declare quotes void; nothing that was marked, filled or judged by them changes.", Role.ADMIN)
    async def void_quotes(self, info: Info, data: Input[VoidQuotesInput]) -> VoidQuotesPayload:
        void_id = await voids.void_quotes(
            info.context.principal, data.symbol, data.source_from, data.source_before, data.reason
        )
        return VoidQuotesPayload(quote_void=await read_back(info, QUOTE_VOIDS, void_id))
