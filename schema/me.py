"""Who asks."""

import strawberry
from strawberry import field

from schema.challenges import Challenge
from schema.context import Info
from schema.fields import computed
from schema.paging import After, Connection, First, read, window
from schema.purchases import Purchase
from schema.wallets import Wallet
from services.principals import Role
from services.views.lists import CHALLENGES, PURCHASES, WALLETS, Filters


@strawberry.type(description="The bearer of the token. Its lists are those of the client it speaks for.")
class Me:
    role: Role = field(description="What the token may do.")
    name: str = field(description="The token's name.")
    brand: str | None = field(description="The brand it cannot look beyond; null for ADMIN and FEED.")
    subject: str | None = field(description="The client a CLIENT token speaks for.")

    def _own(self) -> Filters:
        return (("client", (self.subject,)),)

    @computed("The client's challenges, newest first; empty for other tokens.")
    async def challenges(self, info: Info, first: First = 20, after: After = None) -> Connection[Challenge]:
        return await read(info, CHALLENGES, window(CHALLENGES, first, after), self._own())

    @computed("The client's purchases, newest first; empty for other tokens.")
    async def purchases(self, info: Info, first: First = 20, after: After = None) -> Connection[Purchase]:
        return await read(info, PURCHASES, window(PURCHASES, first, after), self._own())

    @computed("The client's wallets, newest first; empty for other tokens.")
    async def wallets(self, info: Info, first: First = 20, after: After = None) -> Connection[Wallet]:
        return await read(info, WALLETS, window(WALLETS, first, after), self._own())
