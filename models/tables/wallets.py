"""Wallets, house accounts, and the rows of every transfer."""

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from domain.transfers import HousePurpose, MoneyKind, TransferKind
from models.tables.fields import CLOCK, NOW, Choice, Identity, Money, Text, reference
from models.tables.keys import TableIndex


class Wallet(Model):
    """Real money of a client in one currency."""

    id = Identity()
    brand = reference("Brand", column="brand")
    brand_id: str
    client = Text()
    currency = reference("Currency", column="currency")
    currency_id: str
    cash = Money(db_default=0)
    reserved = Money(db_default=0, description="Cash that is reserved for open purchases")
    created_at = fields.DatetimeField(db_default=NOW)

    class Meta:
        table = "wallets"
        constraints = (UniqueConstraint(("brand", "client", "currency"), "wallets_owner"),)
        indexes = (
            TableIndex("currency", name="wallets_currency"),
            TableIndex("brand", "id", name="wallets_brand"),
            TableIndex("brand", "client", "id", name="wallets_client"),
        )


class HouseAccount(Model):
    """Money of the brand itself, or of the outside world, in one currency."""

    id = Identity()
    brand = reference("Brand", column="brand")
    brand_id: str
    currency = reference("Currency", column="currency")
    currency_id: str
    purpose = Choice(HousePurpose, description="TREASURY, EXTERNAL, CAPITAL or PAYOUT_HOLD")
    balance = Money(db_default=0)

    class Meta:
        table = "house_accounts"
        constraints = (UniqueConstraint(("brand", "currency", "purpose"), "house_accounts_purpose"),)
        indexes = (TableIndex("currency", name="house_accounts_currency"),)


class Transfer(Model):
    """One of the two rows of a transfer, which sum to zero."""

    id = Identity()
    transfer = fields.BigIntField(description="Number of the transfer, which its rows share")
    brand = reference("Brand", column="brand")
    brand_id: str
    kind = Choice(TransferKind)
    money = Choice(MoneyKind, description="REAL or SYNTHETIC")
    wallet = reference("Wallet", null=True)
    house_account = reference("HouseAccount", null=True)
    account = reference("Account", null=True, db_constraint=False)
    account_seq = fields.BigIntField(null=True, description="Seq of the ledger row that booked it")
    currency = Text()
    amount = Money()
    cause = Text(description="Cause of the transfer")
    market_time = fields.DatetimeField()
    recorded_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "transfers"
        indexes = (
            TableIndex("transfer", name="transfers_transfer"),
            TableIndex("wallet_id", "id", name="transfers_wallet", where="wallet_id is not null"),
            TableIndex("house_account_id", "id", name="transfers_house_account", where="house_account_id is not null"),
            TableIndex("account_id", "id", name="transfers_account", where="account_id is not null"),
            TableIndex("brand", "id", name="transfers_brand"),
            TableIndex("brand", "kind", "id", name="transfers_kind"),
            TableIndex("brand", "recorded_at", name="transfers_recorded_at"),
        )
