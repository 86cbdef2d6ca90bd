"""Purchases."""

import strawberry

from resolvers.found import found
from schema.arguments import Filter, Id, Input, required
from schema.context import Info
from schema.filters import filters_of
from schema.ids import number
from schema.paging import After, Connection, First, one, read, window
from schema.permissions import mutation, query
from schema.purchases import BuyChallengeInput, BuyChallengePayload, Purchase, PurchaseFilter
from services import purchases
from services.principals import Role
from services.views.lists import CHALLENGES, PURCHASES


@strawberry.type
class PurchaseQuery:
    @query("Purchases, newest first.", Role.ADMIN, Role.MANAGER, Role.CLIENT)
    async def purchases(
        self, info: Info, first: First = 20, after: After = None, which: Filter[PurchaseFilter] = None
    ) -> Connection[Purchase]:
        return await read(info, PURCHASES, window(PURCHASES, first, after), filters_of(which))

    @query("A purchase; null if there is none of this id.", Role.ADMIN, Role.MANAGER, Role.CLIENT)
    async def purchase(self, info: Info, key: Id) -> Purchase | None:
        return await one(info, PURCHASES, number(key))


@strawberry.type
class PurchaseMutation:
    @mutation("Buy a program on sale; the challenge is activated by what follows.", Role.CLIENT)
    async def buy_challenge(self, info: Info, given: Input[BuyChallengeInput]) -> BuyChallengePayload:
        program_id, wallet_id = required(given.program_id, "programId"), required(given.wallet_id, "walletId")
        purchase_id, challenge_id = await purchases.buy(
            info.context.principal, program_id, wallet_id, given.idempotency_key
        )
        return BuyChallengePayload(
            purchase=await found(info, PURCHASES, purchase_id), challenge=await found(info, CHALLENGES, challenge_id)
        )
