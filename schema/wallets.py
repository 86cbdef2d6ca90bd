"""Wallets, house accounts and transfers."""

from datetime import datetime
from decimal import Decimal

import strawberry
from strawberry import ID, field

from domain.transfers import HousePurpose, MoneyKind, TransferKind
from schema.engine.row_types import FromRow
from schema.inputs import INTERNAL
from schema.payloads import Payload
from services.views.lists import HOUSE_ACCOUNTS, TRANSFERS, WALLETS


@strawberry.type(description="Real money of a client in one currency.")
class Wallet(FromRow, listing=WALLETS):
    id: ID = field(description="Wallet id.")
    brand: str = field(description="Name of the brand.")
    client: str = field(description="Client who owns the wallet.")
    currency: str = field(description="Currency code.")
    cash: Decimal = field(description="Balance, including reserved money.")
    reserved: Decimal = field(description="Part of the balance reserved for purchases in progress.")
    free: Decimal = field(description="Part of the balance that can be spent: `cash` minus `reserved`.")
    created_at: datetime = field(description="Time at which the wallet was created.")


@strawberry.type(
    description="An account of the firm itself in one currency. As the counterpart of other accounts its balance may "
    "be negative."
)
class HouseAccount(FromRow, listing=HOUSE_ACCOUNTS):
    id: ID = field(description="Id of the house account.")
    brand: str = field(description="Name of the brand.")
    currency: str = field(description="Currency code.")
    purpose: HousePurpose = field(description="Purpose of the account.")
    balance: Decimal = field(description="Balance: the sum of its transfers.")


@strawberry.input(description="Filter for house accounts.")
class HouseAccountFilter:
    brand: str | None = field(default=None, description="Only accounts of this brand.")
    currency: str | None = field(default=None, description="Only accounts in this currency.")
    purpose: list[HousePurpose] | None = field(default=None, description="Only accounts with one of these purposes.")


@strawberry.type(
    description="One leg of a transfer. Both legs have the same `transfer`, and their amounts add up to zero."
)
class Transfer(FromRow, listing=TRANSFERS):
    id: ID = field(description="Id of the leg.")
    transfer: ID = field(description="Id of the transfer, shared by its two legs.")
    brand: str = field(description="Name of the brand.")
    kind: TransferKind = field(description="Purpose of the transfer.")
    money: MoneyKind = field(description="Kind of money.")
    wallet_id: ID | None = field(description="Wallet of this leg; null if it has none.")
    account_id: ID | None = field(description="Trading account of this leg; null if it has none.")
    house: HousePurpose | None = field(description="House account of this leg; null if it has none.")
    currency: str = field(description="Currency code.")
    amount: Decimal = field(description="Amount: positive in, negative out.")
    cause: str = field(description="Reason for the transfer. Staff also see the idempotency key of a manual transfer.")
    market_time: datetime = field(description="Market time of the transfer.")
    recorded_at: datetime = field(description="Time at which the transfer was written.")


@strawberry.input(description="Deposit from outside into a client's wallet.")
class DepositToWalletInput:
    client: str = field(description="Client who owns the wallet; the wallet is created if it does not exist.")
    currency: str = field(description="Currency code of the wallet.")
    amount: Decimal = field(description="Amount in the wallet's currency, with at most its decimal places.")
    idempotency_key: str = field(description="Idempotency key. Repeating key and content deposits nothing more.")
    brand: str | None = field(default=None, description="Brand name. Required for an ADMIN; a MANAGER uses its own.")


@strawberry.type(description="Result of a deposit.")
class DepositToWalletPayload(Payload):
    wallet: Wallet | None = field(default=None, description="Wallet after the deposit; null if refused.")


@strawberry.input(description="Withdrawal from a client's wallet to outside.")
class WithdrawFromWalletInput:
    wallet_id: ID = field(description="Wallet id.")
    amount: Decimal = field(description="Amount in the wallet's currency and its decimal places; at most `free`.")
    idempotency_key: str = field(description="Idempotency key. Repeating key and content withdraws nothing more.")
    reason: str | None = field(default=None, description=f"Reason, or destination of the money. {INTERNAL}")


@strawberry.type(description="Result of a withdrawal.")
class WithdrawFromWalletPayload(Payload):
    wallet: Wallet | None = field(default=None, description="Wallet after the withdrawal; null if refused.")


@strawberry.input(description="Filter for wallets.")
class WalletFilter:
    brand: str | None = field(default=None, description="Only wallets of this brand.")
    client: str | None = field(default=None, description="Only wallets of this client.")
    currency: str | None = field(default=None, description="Only wallets in this currency.")


@strawberry.input(description="Filter for transfers.")
class TransferFilter:
    brand: str | None = field(default=None, description="Only transfers of this brand.")
    kind: list[TransferKind] | None = field(default=None, description="Only transfers for one of these purposes.")
    money: MoneyKind | None = field(default=None, description="Only transfers of this kind of money.")
    currency: str | None = field(default=None, description="Only transfers in this currency.")
    client: str | None = field(default=None, description="Only legs on wallets of this client.")
    house: list[HousePurpose] | None = field(default=None, description="Only legs on these house accounts.")
    wallet_id: ID | None = field(default=None, description="Only legs on this wallet.")
    account_id: ID | None = field(default=None, description="Only legs on this trading account.")
    transfer: ID | None = field(default=None, description="Only the two legs of this transfer.")
    recorded_from: datetime | None = field(default=None, description="Only transfers written at or after this time.")
    recorded_before: datetime | None = field(default=None, description="Only transfers written before this time.")
