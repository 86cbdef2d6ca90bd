"""The bearer of a token, its scope, limits and lists."""

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


@strawberry.type(description="Maximum sizes of one request.")
class Sizes:
    page_items: int = field(description="Maximum number of items in a page of a list.")
    history_items: int = field(description="Maximum number of items in a page of a history, such as the ledger.")
    actions: int = field(description="Maximum number of decision actions in one submission.")
    quotes: int = field(description="Maximum number of quotes in one ingestion.")


@strawberry.type(
    description="The bearer of the token. The lists contain the objects of the client for whom a CLIENT token speaks."
)
class Me:
    role: Role = field(description="Role of the token.")
    name: str = field(description="Name of the token.")
    brand: str | None = field(description="Brand to which the token is limited; null for ADMIN and FEED.")
    subject: str | None = field(description="Client for whom a CLIENT token speaks; null for other tokens.")

    @computed("Accounts and challenges that a TRADER token may access; null for other tokens.")
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

    @computed("Maximum sizes of one request.")
    def limits(self) -> Sizes:
        return Sizes(page_items=SHORT, history_items=LONG, actions=BATCH_MAX, quotes=QUOTES_MAX)

    def _own(self) -> Filters:
        return (("client", (self.subject,)),)

    @computed("Challenges of the client, newest first; empty for other tokens.")
    async def challenges(self, info: Info, first: First = 20, after: After = None) -> Connection[Challenge]:
        return await read_page(info, CHALLENGES, page_request(CHALLENGES, first, after), self._own())

    @computed("Purchases of the client, newest first; empty for other tokens.")
    async def purchases(self, info: Info, first: First = 20, after: After = None) -> Connection[Purchase]:
        return await read_page(info, PURCHASES, page_request(PURCHASES, first, after), self._own())

    @computed("Wallets of the client, newest first; empty for other tokens.")
    async def wallets(self, info: Info, first: First = 20, after: After = None) -> Connection[Wallet]:
        return await read_page(info, WALLETS, page_request(WALLETS, first, after), self._own())
