"""Root fields for wallets, house accounts and transfers."""

import strawberry

from resolvers.read_back import read_back
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
        self, info: Info, first: First = 20, after: After = None, where: Filter[WalletFilter] = None
    ) -> Connection[Wallet]:
        return await read_page(info, WALLETS, page_request(WALLETS, first, after), filters_of(where))

    @query("House accounts of the firm, sorted by brand, currency and purpose.", Role.ADMIN, Role.MANAGER)
    async def house_accounts(
        self, info: Info, first: First = 20, after: After = None, where: Filter[HouseAccountFilter] = None
    ) -> Connection[HouseAccount]:
        return await read_page(info, HOUSE_ACCOUNTS, page_request(HOUSE_ACCOUNTS, first, after), filters_of(where))

    @query(
        "Transfers, one row per leg, newest first within each brand. A client sees only the legs on its own wallets.",
        *READERS,
    )
    async def transfers(
        self, info: Info, first: First = 20, after: After = None, where: Filter[TransferFilter] = None
    ) -> Connection[Transfer]:
        return await read_page(info, TRANSFERS, page_request(TRANSFERS, first, after), filters_of(where))


@strawberry.type
class WalletMutation:
    @mutation("Deposit money from outside into a client's wallet.", Role.ADMIN, Role.MANAGER)
    async def deposit_to_wallet(self, info: Info, data: Input[DepositToWalletInput]) -> DepositToWalletPayload:
        wallet_id = await wallets.deposit_to_wallet(
            info.context.principal,
            client=data.client,
            currency=data.currency,
            amount=data.amount,
            key=data.idempotency_key,
            brand=data.brand,
        )
        return DepositToWalletPayload(wallet=await read_back(info, WALLETS, wallet_id))

    @mutation("Withdraw money from a client's wallet to outside; at most its `free` money.", Role.ADMIN, Role.MANAGER)
    async def withdraw_from_wallet(self, info: Info, data: Input[WithdrawFromWalletInput]) -> WithdrawFromWalletPayload:
        wallet_id = required(data.wallet_id, "walletId")
        await wallets.withdraw_from_wallet(
            info.context.principal,
            wallet_id,
            amount=data.amount,
            key=data.idempotency_key,
            reason=data.reason,
        )
        return WithdrawFromWalletPayload(wallet=await read_back(info, WALLETS, wallet_id))
