"""Purchases of programs."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.db_defaults import SqlDefault
from tortoise.models import Model

from domain.lifecycles import PurchaseStatus
from domain.payments import PaidFrom
from models.tables.fields import CLOCK, Choice, Identity, Money, Text, reference
from models.tables.keys import SearchIndex, TableIndex, UniqueIndex


class Purchase(Model):
    """A sale of a program to a client."""

    id = Identity()
    brand = reference("Brand", column="brand")
    brand_id: str
    client = Text()
    wallet = reference("Wallet", null=True)
    wallet_id: int | None
    program = reference("Program", null=True)
    program_id: int | None
    terms = reference("Terms", column="terms_hash")
    terms_id: str
    price = Money(description="Price at the sale")
    currency = reference("Currency", column="currency")
    currency_id: str
    status = Choice(PurchaseStatus)
    paid_from = Choice(PaidFrom, null=True, description="WALLET or OUTSIDE; null until it is paid")
    failure_reason = Text(null=True, description="Reason of a failure, for the firm")
    external_reference = Text(null=True, description="The firm's own reference")
    comment = Text(null=True, description="The firm's own note")
    tags: fields.Field[list[str]] = ArrayField("text", db_default=SqlDefault("'{}'"), description="The firm's own tags")
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    payment_reference = Text(
        null=True, description="Reference that an external payment must give; null if a wallet pays"
    )
    expires_at = fields.DatetimeField(null=True, description="Real time at which it fails without that payment")
    fee_returned_with = reference(
        "Payout",
        column="fee_returned_with",
        null=True,
        description="Payout with which the fee was returned",
    )
    fee_returned_with_id: int | None
    failure_shown = Text(null=True, description="Reason of a failure, for the client")
    recorded_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "purchases"
        constraints = (
            UniqueIndex(("payment_reference",), "purchases_payment_reference", "(payment_reference IS NOT NULL)"),
            UniqueIndex(("fee_returned_with",), "purchases_fee_returned_with", "(fee_returned_with IS NOT NULL)"),
        )
        indexes = (
            TableIndex("brand", "id", name="purchases_brand"),
            TableIndex("brand", "client", "id", name="purchases_client"),
            TableIndex("brand", "status", "id", name="purchases_status"),
            TableIndex(
                "brand",
                "client",
                name="purchases_awaited",
                where="((status = 0) AND (payment_reference IS NOT NULL))",
            ),
            TableIndex("wallet_id", "id", name="purchases_wallet"),
            TableIndex("program_id", "id", name="purchases_program"),
            TableIndex("brand", "created_at", name="purchases_created_at"),
            SearchIndex(
                "brand",
                "client gin_trgm_ops",
                "external_reference gin_trgm_ops",
                "tags",
                name="purchases_search",
            ),
            TableIndex("terms_hash", name="purchases_terms"),
            TableIndex("currency", name="purchases_currency"),
            TableIndex(
                "expires_at", name="purchases_unpaid", where="((status = 0) AND (payment_reference IS NOT NULL))"
            ),
        )
