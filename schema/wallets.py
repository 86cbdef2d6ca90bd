"""Real money: wallets, transfers, payouts."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import ID, field

from domain.lifecycles import PayoutStatus
from schema.context import Info
from schema.enums import MoneyKind
from schema.fields import computed
from schema.paging import one
from schema.payloads import Payload
from schema.rows import FromRow
from services.views.lists import CHALLENGES, PAYOUTS, TRANSFERS, WALLETS

if TYPE_CHECKING:
    from schema.challenges import Challenge


@strawberry.type(description="A client's real cash in one currency.")
class Wallet(FromRow, listing=WALLETS):
    id: ID = field(description="Its number.")
    brand: str = field(description="The brand it belongs to.")
    client: str = field(description="Whose it is.")
    currency: str = field(description="Its currency.")
    cash: Decimal = field(description="What it holds.")
    reserved: Decimal = field(description="What of it is set aside for purchases under way.")
    free: Decimal = field(description="What can be spent: cash less reserved.")
    created_at: datetime = field(description="When it was made.")


@strawberry.type(description="One side of a movement of money; the other has the same `transfer`.")
class Transfer(FromRow, listing=TRANSFERS):
    id: ID = field(description="Its number.")
    transfer: ID = field(description="The movement; its two sides sum to zero.")
    brand: str = field(description="The brand it belongs to.")
    kind: str = field(description="FEE, REFUND, DEPOSIT, PAYOUT_PROFIT, PAYOUT_SHARE, TOP_UP or WITHDRAWAL.")
    money: MoneyKind = field(description="Which money.")
    wallet_id: ID | None = field(description="The wallet, if this side is one.")
    account_id: ID | None = field(description="The trading account, if this side is one.")
    house: str | None = field(description="The firm's account: TREASURY, EXTERNAL, CAPITAL or PAYOUT_HOLD.")
    currency: str = field(description="Its currency.")
    amount: Decimal = field(description="What came in; negative for what went out.")
    cause: str = field(description="Why.")
    market_time: datetime = field(description="When, by the market's clock.")
    recorded_at: datetime = field(description="When it was written.")


@strawberry.type(description="A share of a funded account's profit, paid to the client.")
class Payout(FromRow, listing=PAYOUTS):
    id: ID = field(description="Its number.")
    brand: str = field(description="The brand it belongs to.")
    phase_index: int | None = field(description="The phase that made the profit; null once its program is deleted.")
    account_id: ID = field(description="The account that made the profit.")
    status: PayoutStatus = field(description="How far it is.")
    currency: str = field(description="Its currency.")
    profit: Decimal = field(description="The gross profit taken off the account.")
    split: Decimal = field(description="The client's share of it.")
    amount: Decimal = field(description="What the client gets.")
    created_at: datetime = field(description="When it was requested, or written by the desk.")
    paid_at: datetime | None = field(description="When it was paid.")
    challenge_id: strawberry.Private[int]
    wallet_id: strawberry.Private[int]

    @computed("The challenge that made the profit; null once its program is deleted.")
    async def challenge(self, info: Info) -> Annotated["Challenge", strawberry.lazy("schema.challenges")] | None:
        return await one(info, CHALLENGES, self.challenge_id)

    @computed("The wallet it is paid to; null where you may not see it.")
    async def wallet(self, info: Info) -> Wallet | None:
        return await one(info, WALLETS, self.wallet_id)


@strawberry.input(description="Money from outside for a client's wallet.")
class DepositToWalletInput:
    client: str = field(description="Whose wallet; it is made if there is none.")
    currency: str = field(description="The wallet's currency.")
    amount: Decimal = field(description="How much, in whole minor units of the currency.")
    idempotency_key: str = field(description="The same key and content again moves nothing.")
    brand: str | None = field(default=None, description="The brand; an ADMIN names it, a MANAGER's is its own.")


@strawberry.type(description="The wallet after the deposit.")
class DepositToWalletPayload(Payload):
    wallet: Wallet | None = field(default=None, description="The wallet as it is now; null if nothing was deposited.")


@strawberry.input(description="Which wallets.")
class WalletFilter:
    brand: str | None = field(default=None, description="Of this brand.")
    client: str | None = field(default=None, description="Of this client.")
    currency: str | None = field(default=None, description="In this currency.")


@strawberry.input(description="Which transfers.")
class TransferFilter:
    brand: str | None = field(default=None, description="Of this brand.")
    kind: list[str] | None = field(default=None, description="Of one of these kinds.")
    wallet_id: ID | None = field(default=None, description="Of this wallet.")
    account_id: ID | None = field(default=None, description="Of this trading account.")
    transfer: ID | None = field(default=None, description="The two sides of this movement.")


@strawberry.input(description="Which payouts.")
class PayoutFilter:
    brand: str | None = field(default=None, description="Of this brand.")
    status: list[PayoutStatus] | None = field(default=None, description="In one of these states.")
    challenge_id: ID | None = field(default=None, description="Of this challenge.")
