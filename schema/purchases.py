"""Purchases."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import ID, UNSET, field

from domain.lifecycles import PurchaseStatus
from domain.payments import PaidFrom, Payment
from schema.engine.computed_fields import computed
from schema.engine.paging import read_one, read_owned
from schema.engine.request_context import Info
from schema.engine.row_types import FromRow
from schema.inputs import INTERNAL, SHOWN
from schema.payloads import Payload, SavePayload
from schema.programs import Program
from schema.terms import Terms
from schema.wallets import Wallet
from services.views.lists import ACCOUNTS, CHALLENGES, PROGRAMS, PURCHASES, WALLETS

if TYPE_CHECKING:
    from schema.accounts import Account
    from schema.challenges import Challenge

CHALLENGES_MAX = 100


@strawberry.type(description="The sale of a program to a client.")
class Purchase(FromRow, listing=PURCHASES):
    id: ID = field(description="Its number.")
    brand: str = field(description="The brand it belongs to.")
    client: str = field(description="Who bought.")
    status: PurchaseStatus = field(description="How far its activation has come.")
    price: Decimal = field(description="What it cost.")
    currency: str = field(description="The currency of the price.")
    paid_from: PaidFrom | None = field(description="Where the price came from; null until it is paid.")
    failure_reason: str | None = field(description="Why it failed, as the client is told; null if it has not.")
    internal_failure_reason: str | None = field(description="The same as the firm knows it; for its staff alone.")
    external_reference: str | None = field(description="A reference of the firm's own.")
    comment: str | None = field(description="A note of the firm's own.")
    tags: list[str] = field(description="Labels of the firm's own.")
    created_at: datetime = field(description="When it was bought.")
    updated_at: datetime = field(description="When it last changed.")
    payment: Payment = field(description="How it is paid.")
    payment_reference: str | None = field(
        description="What the payment must name, if it is EXTERNAL: pass it to the payment provider."
    )
    expires_at: datetime | None = field(
        description="When an EXTERNAL purchase that has not been paid fails, by the real clock."
    )
    program_changed: bool | None = field(
        description="Whether the program has been changed since the sale, its status included, so that `program` need "
        "not be what was sold; null once it is deleted."
    )
    wallet_id: strawberry.Private[int | None]
    program_id: strawberry.Private[int | None]
    account_id: strawberry.Private[int | None]
    terms_hash: strawberry.Private[str]

    @computed("The wallet that pays; null where it is paid outside, or you may not see it.")
    async def wallet(self, info: Info) -> Wallet | None:
        return await read_one(info, WALLETS, self.wallet_id)

    @computed("The program as it is today; null once it is deleted.")
    async def program(self, info: Info) -> Program | None:
        return await read_one(info, PROGRAMS, self.program_id)

    @computed("The terms that were sold; null where this version cannot read them.")
    async def terms(self, info: Info) -> Terms | None:
        sold = await info.context.loaders.terms(self.terms_hash)
        return Terms(hash=self.terms_hash, version=sold.version)

    @computed("The account of its challenge's current phase.")
    async def account(self, info: Info) -> Annotated["Account", strawberry.lazy("schema.accounts")] | None:
        return await read_one(info, ACCOUNTS, self.account_id)

    @computed("Its challenges, newest first.")
    async def challenges(self, info: Info) -> list[Annotated["Challenge", strawberry.lazy("schema.challenges")]]:
        return await read_owned(info, CHALLENGES, ("purchase", int(self.id)), CHALLENGES_MAX)


@strawberry.input(description="What to buy, and how it is paid.")
class BuyChallengeInput:
    program_id: ID = field(description="The program, on sale.")
    wallet_id: ID | None = field(
        default=None, description="Your wallet in the currency of the price; only for the payment WALLET."
    )
    payment: Payment = field(default=Payment.WALLET, description="How it is paid.")
    idempotency_key: str = field(description="The same key and content again buys nothing more.")


@strawberry.type(description="What was bought.")
class BuyChallengePayload(Payload):
    purchase: Purchase | None = field(default=None, description="The sale; null if nothing was bought.")
    challenge: Annotated["Challenge", strawberry.lazy("schema.challenges")] | None = field(
        default=None, description="The challenge; null if nothing was bought, and until an EXTERNAL purchase is paid."
    )


@strawberry.input(description="A payment that a provider has received.")
class ConfirmPaymentInput:
    reference: str = field(description="The purchase's `paymentReference`.")
    amount: Decimal = field(description="What was paid; it must be the price.")
    currency: str = field(description="The currency it was paid in; it must be the price's.")
    idempotency_key: str = field(
        description="The provider's id of the payment or of its notice: the same key and content again does nothing."
    )


@strawberry.type(description="A purchase whose payment was confirmed.")
class ConfirmedPurchase:
    id: ID = field(description="The purchase.")
    challenge_id: ID = field(description="The challenge that begins with it.")


@strawberry.type(description="The purchase that was paid; a worker activates its challenge.")
class ConfirmPaymentPayload(Payload):
    purchase: ConfirmedPurchase | None = field(default=None, description="The purchase; null if it was not accepted.")


@strawberry.input(description="What to change of a purchase; what is left out stays, null clears.")
class UpdatePurchaseInput:
    id: ID = field(description="The purchase.")
    external_reference: str | None = field(default=UNSET, description="A reference of the firm's own.")
    comment: str | None = field(default=UNSET, description="A note of the firm's own.")
    tags: list[str] | None = field(default=UNSET, description="Labels of the firm's own, replacing all it had.")
    status: PurchaseStatus | None = field(
        default=None,
        description="PAID: the price was paid outside; a reservation ends, and a purchase that waits for its payment "
        "begins its challenge. FAILED: the challenge is called off.",
    )
    reason: str | None = field(default=None, description=f"Why; needed with FAILED. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=SHOWN)


@strawberry.type(description="The changed purchase.")
class UpdatePurchasePayload(SavePayload):
    purchase: Purchase | None = field(default=None, description="The purchase as it is now; null if nothing changed.")


@strawberry.input(description="The purchase to delete: without a challenge, or FAILED, or REFUNDED.")
class DeletePurchaseInput:
    id: ID = field(description="The purchase.")
    reason: str = field(description=f"Why. {INTERNAL}")


@strawberry.type(description="What was deleted.")
class DeletePurchasePayload(Payload):
    purchase_id: ID | None = field(default=None, description="The number it had; null if nothing was deleted.")


@strawberry.input(description="The purchase whose price is given back.")
class RefundPurchaseInput:
    id: ID = field(description="The purchase.")
    reason: str = field(description=f"Why. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=SHOWN)
    idempotency_key: str = field(description="The same key and content again moves nothing.")


@strawberry.type(description="The refunded purchase; its challenge is called off, its account locked.")
class RefundPurchasePayload(Payload):
    purchase: Purchase | None = field(default=None, description="The purchase as it is now; null if nothing was done.")


@strawberry.input(description="Which purchases.")
class PurchaseFilter:
    brand: str | None = field(default=None, description="Of this brand.")
    status: list[PurchaseStatus] | None = field(default=None, description="In one of these states.")
    client: str | None = field(default=None, description="Of this client.")
    program_id: ID | None = field(default=None, description="Of this program.")
    wallet_id: ID | None = field(default=None, description="Paid from this wallet.")
    payment_reference: str | None = field(default=None, description="That waits for a payment of this reference.")
    tag: str | None = field(default=None, description="With this tag.")
    created_from: datetime | None = field(default=None, description="Bought at this time or later.")
    created_before: datetime | None = field(default=None, description="Bought before this time.")
    text: str | None = field(
        default=None,
        description="With this, in upper or lower case, in the client, the program's name or, for MANAGER and ADMIN, "
        "the external reference; or the purchase of this id.",
    )
