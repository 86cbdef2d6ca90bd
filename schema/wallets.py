"""Real money: wallets and transfers."""

from datetime import datetime
from decimal import Decimal

import strawberry
from strawberry import ID, field

from domain.transfers import HousePurpose, MoneyKind, TransferKind
from schema.engine.row_types import FromRow
from schema.inputs import INTERNAL
from schema.payloads import Payload
from services.views.lists import HOUSE_ACCOUNTS, TRANSFERS, WALLETS


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


@strawberry.type(
    description="An account of the firm in one currency; it may be negative, as the source of what others hold."
)
class HouseAccount(FromRow, listing=HOUSE_ACCOUNTS):
    id: ID = field(description="Its number.")
    brand: str = field(description="The brand it belongs to.")
    currency: str = field(description="Its currency.")
    purpose: HousePurpose = field(description="What it is for.")
    balance: Decimal = field(description="What it holds: the sum of its transfers.")


@strawberry.input(description="Which accounts of the firm.")
class HouseAccountFilter:
    brand: str | None = field(default=None, description="Of this brand.")
    currency: str | None = field(default=None, description="In this currency.")
    purpose: list[HousePurpose] | None = field(default=None, description="For one of these purposes.")


@strawberry.type(description="One side of a movement of money; the other has the same `transfer`.")
class Transfer(FromRow, listing=TRANSFERS):
    id: ID = field(description="Its number.")
    transfer: ID = field(description="The movement; its two sides sum to zero.")
    brand: str = field(description="The brand it belongs to.")
    kind: TransferKind = field(description="What for.")
    money: MoneyKind = field(description="Which money.")
    wallet_id: ID | None = field(description="The wallet, if this side is one.")
    account_id: ID | None = field(description="The trading account, if this side is one.")
    house: HousePurpose | None = field(description="The firm's account, if this side is one.")
    currency: str = field(description="Its currency.")
    amount: Decimal = field(description="What came in; negative for what went out.")
    cause: str = field(description="Why; for staff with the key of what was moved by hand.")
    market_time: datetime = field(description="When, by the market's clock.")
    recorded_at: datetime = field(description="When it was written.")


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


@strawberry.input(description="Money that leaves a client's wallet for outside.")
class WithdrawFromWalletInput:
    wallet_id: ID = field(description="The wallet.")
    amount: Decimal = field(description="How much, in whole minor units of its currency; at most what is free.")
    idempotency_key: str = field(description="The same key and content again moves nothing.")
    reason: str | None = field(default=None, description=f"Why, or where it went. {INTERNAL}")


@strawberry.type(description="The wallet after the withdrawal.")
class WithdrawFromWalletPayload(Payload):
    wallet: Wallet | None = field(default=None, description="The wallet as it is now; null if nothing was withdrawn.")


@strawberry.input(description="Which wallets.")
class WalletFilter:
    brand: str | None = field(default=None, description="Of this brand.")
    client: str | None = field(default=None, description="Of this client.")
    currency: str | None = field(default=None, description="In this currency.")


@strawberry.input(description="Which transfers.")
class TransferFilter:
    brand: str | None = field(default=None, description="Of this brand.")
    kind: list[TransferKind] | None = field(default=None, description="Of one of these kinds.")
    money: MoneyKind | None = field(default=None, description="Of this money.")
    currency: str | None = field(default=None, description="In this currency.")
    client: str | None = field(default=None, description="Of this client's wallets.")
    house: list[HousePurpose] | None = field(default=None, description="Of these accounts of the firm.")
    wallet_id: ID | None = field(default=None, description="Of this wallet.")
    account_id: ID | None = field(default=None, description="Of this trading account.")
    transfer: ID | None = field(default=None, description="The two sides of this movement.")
    recorded_from: datetime | None = field(default=None, description="Written at this time or later.")
    recorded_before: datetime | None = field(default=None, description="Written before this time.")
