"""Root fields for void quotes and the challenges that failed by them."""

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
Symbol = Annotated[str, strawberry.argument(description="Instrument symbol.")]
SymbolOrAll = Annotated[str | None, strawberry.argument(description="Only quotes of this instrument; all if left out.")]
SourceFrom = Annotated[datetime, strawberry.argument(description="Start of the span of source times, inclusive.")]
SourceBefore = Annotated[datetime, strawberry.argument(description="End of the span of source times, exclusive.")]


@strawberry.type
class VoidQuery:
    @query("Declarations of void quotes, newest first.", *STAFF)
    async def quote_voids(
        self, info: Info, symbol: SymbolOrAll = None, first: First = 20, after: After = None
    ) -> Connection[QuoteVoid]:
        filters = () if symbol is None else (("symbol", (symbol,)),)
        return await read_page(info, QUOTE_VOIDS, page_request(QUOTE_VOIDS, first, after), filters)

    @query(
        "Challenges that failed during or after the span while one of its quotes affected their positions, "
        "newest first. "
        "They are listed even if the quotes are not void yet, and after their verdict is set aside. Preview "
        "`reinstateChallenge` to see whether a failure stands without the quotes.",
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
    @mutation("Declare quotes void. Marks, fills and verdicts made from them do not change.", Role.ADMIN)
    async def void_quotes(self, info: Info, data: Input[VoidQuotesInput]) -> VoidQuotesPayload:
        void_id = await voids.void_quotes(
            info.context.principal, data.symbol, data.source_from, data.source_before, data.reason
        )
        return VoidQuotesPayload(quote_void=await read_back(info, QUOTE_VOIDS, void_id))
