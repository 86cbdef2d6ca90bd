"""Real money: wallets and transfers."""

import strawberry

from resolvers.read_back import found
from schema.arguments import Filter, Input, required
from schema.engine.paging import After, Connection, First, page_request, read_page
from schema.engine.permissions import mutation, query
from schema.engine.request_context import Info
from schema.filters import filters_of
from schema.wallets import (
    DepositToWalletInput,
    DepositToWalletPayload,
    HouseAccount,
    HouseAccountFilter,
    Transfer,
    TransferFilter,
    Wallet,
    WalletFilter,
    WithdrawFromWalletInput,
    WithdrawFromWalletPayload,
)
from services import wallets
from services.principals import Role
from services.views.lists import HOUSE_ACCOUNTS, TRANSFERS, WALLETS

READERS = (Role.ADMIN, Role.MANAGER, Role.CLIENT)


@strawberry.type
class WalletQuery:
    @query("Wallets, newest first within each brand.", *READERS)
    async def wallets(
        self, info: Info, first: First = 20, after: After = None, which: Filter[WalletFilter] = None
    ) -> Connection[Wallet]:
        return await read_page(info, WALLETS, page_request(WALLETS, first, after), filters_of(which))

    @query("The firm's own accounts, by brand, currency and purpose.", Role.ADMIN, Role.MANAGER)
    async def house_accounts(
        self, info: Info, first: First = 20, after: After = None, which: Filter[HouseAccountFilter] = None
    ) -> Connection[HouseAccount]:
        return await read_page(info, HOUSE_ACCOUNTS, page_request(HOUSE_ACCOUNTS, first, after), filters_of(which))

    @query("Transfers, one row a side, newest first within each brand; a client's are those of its wallets.", *READERS)
    async def transfers(
        self, info: Info, first: First = 20, after: After = None, which: Filter[TransferFilter] = None
    ) -> Connection[Transfer]:
        return await read_page(info, TRANSFERS, page_request(TRANSFERS, first, after), filters_of(which))


@strawberry.type
class WalletMutation:
    @mutation("Put money from outside into a client's wallet.", Role.ADMIN, Role.MANAGER)
    async def deposit_to_wallet(self, info: Info, given: Input[DepositToWalletInput]) -> DepositToWalletPayload:
        wallet_id = await wallets.deposit(
            info.context.principal,
            client=given.client,
            currency=given.currency,
            amount=given.amount,
            key=given.idempotency_key,
            brand=given.brand,
        )
        return DepositToWalletPayload(wallet=await found(info, WALLETS, wallet_id))

    @mutation("Let money leave a client's wallet; more than is free is refused.", Role.ADMIN, Role.MANAGER)
    async def withdraw_from_wallet(
        self, info: Info, given: Input[WithdrawFromWalletInput]
    ) -> WithdrawFromWalletPayload:
        wallet_id = required(given.wallet_id, "walletId")
        await wallets.withdraw(
            info.context.principal,
            wallet_id,
            amount=given.amount,
            key=given.idempotency_key,
            reason=given.reason,
        )
        return WithdrawFromWalletPayload(wallet=await found(info, WALLETS, wallet_id))
