"""Real money: wallets, transfers, payouts."""

import strawberry

from resolvers.found import found
from schema.arguments import Filter, Input
from schema.context import Info
from schema.filters import filters_of
from schema.paging import After, Connection, First, read, window
from schema.permissions import mutation, query
from schema.wallets import (
    DepositToWalletInput,
    DepositToWalletPayload,
    Payout,
    PayoutFilter,
    Transfer,
    TransferFilter,
    Wallet,
    WalletFilter,
)
from services import wallets
from services.principals import Role
from services.views.lists import PAYOUTS, TRANSFERS, WALLETS

READERS = (Role.ADMIN, Role.MANAGER, Role.CLIENT)


@strawberry.type
class WalletQuery:
    @query("Wallets, newest first.", *READERS)
    async def wallets(
        self, info: Info, first: First = 20, after: After = None, filter: Filter[WalletFilter] = None
    ) -> Connection[Wallet]:
        return await read(info, WALLETS, window(WALLETS, first, after), filters_of(filter))

    @query("Transfers, one row a side, newest first; a client's are those of its wallets.", *READERS)
    async def transfers(
        self, info: Info, first: First = 20, after: After = None, filter: Filter[TransferFilter] = None
    ) -> Connection[Transfer]:
        return await read(info, TRANSFERS, window(TRANSFERS, first, after), filters_of(filter))

    @query("Payouts, newest first.", *READERS)
    async def payouts(
        self, info: Info, first: First = 20, after: After = None, filter: Filter[PayoutFilter] = None
    ) -> Connection[Payout]:
        return await read(info, PAYOUTS, window(PAYOUTS, first, after), filters_of(filter))


@strawberry.type
class WalletMutation:
    @mutation("Put money from outside into a client's wallet.", Role.ADMIN, Role.MANAGER)
    async def deposit_to_wallet(self, info: Info, input: Input[DepositToWalletInput]) -> DepositToWalletPayload:
        wallet_id = await wallets.deposit(
            info.context.principal,
            client=input.client,
            currency=input.currency,
            amount=input.amount,
            key=input.idempotency_key,
            brand=input.brand,
        )
        return DepositToWalletPayload(wallet=await found(info, WALLETS, wallet_id))
