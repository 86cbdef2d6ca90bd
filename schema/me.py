"""Who asks."""

import strawberry
from strawberry import ID, field

from schema.challenges import Challenge
from schema.engine.computed_fields import computed
from schema.engine.paging import LONG, SHORT, After, Connection, First, page_request, read_page
from schema.engine.request_context import Info
from schema.purchases import Purchase
from schema.tokens import TokenScope
from schema.wallets import Wallet
from services.actions import BATCH_MAX
from services.principals import Role
from services.quotes import QUOTES_MAX
from services.views.lists import CHALLENGES, PURCHASES, WALLETS, Filters


@strawberry.type(description="The most of what one request may ask for or bring.")
class Sizes:
    page_items: int = field(description="Items of a page of a list.")
    history_items: int = field(description="Items of a page of metrics, breaches, the ledger or other histories.")
    actions: int = field(description="Decision actions of one batch.")
    quotes: int = field(description="Quotes of one ingestion.")


@strawberry.type(description="The bearer of the token. Its lists are those of the client it speaks for.")
class Me:
    role: Role = field(description="What the token may do.")
    name: str = field(description="The token's name.")
    brand: str | None = field(description="The brand it cannot look beyond; null for ADMIN and FEED.")
    subject: str | None = field(description="The client a CLIENT token speaks for.")

    @computed("What a TRADER token reaches; null for other tokens.")
    def scope(self, info: Info) -> TokenScope | None:
        who = info.context.principal
        if who.role is not Role.TRADER:
            return None
        return TokenScope(
            owners=list(who.scope.get("owners") or ()),
            clones=list(who.scope.get("clones") or ()),
            challenges=[ID(str(item)) for item in who.scope.get("challenges") or ()],
            accounts=[ID(str(item)) for item in who.scope.get("accounts") or ()],
        )

    @computed("The most of what one request may ask for or bring.")
    def limits(self) -> Sizes:
        return Sizes(page_items=SHORT, history_items=LONG, actions=BATCH_MAX, quotes=QUOTES_MAX)

    def _own(self) -> Filters:
        return (("client", (self.subject,)),)

    @computed("The client's challenges, newest first; empty for other tokens.")
    async def challenges(self, info: Info, first: First = 20, after: After = None) -> Connection[Challenge]:
        return await read_page(info, CHALLENGES, page_request(CHALLENGES, first, after), self._own())

    @computed("The client's purchases, newest first; empty for other tokens.")
    async def purchases(self, info: Info, first: First = 20, after: After = None) -> Connection[Purchase]:
        return await read_page(info, PURCHASES, page_request(PURCHASES, first, after), self._own())

    @computed("The client's wallets, newest first; empty for other tokens.")
    async def wallets(self, info: Info, first: First = 20, after: After = None) -> Connection[Wallet]:
        return await read_page(info, WALLETS, page_request(WALLETS, first, after), self._own())
