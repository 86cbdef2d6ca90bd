"""Purchases: type, inputs, payloads and filter."""

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


@strawberry.type(description="Sale of a program to a client.")
class Purchase(FromRow, listing=PURCHASES):
    id: ID = field(description="Purchase id.")
    brand: str = field(description="Name of the brand.")
    client: str = field(description="Client who bought the program.")
    status: PurchaseStatus = field(description="State of the purchase.")
    price: Decimal = field(description="Price paid or to be paid.")
    currency: str = field(description="Currency code of the price.")
    paid_from: PaidFrom | None = field(description="Source of the payment; null until the purchase is paid.")
    failure_reason: str | None = field(
        description="Reason for the failure, as shown to the client; null without failure."
    )
    internal_failure_reason: str | None = field(
        description="Internal reason for the failure, visible to the firm's staff only; null without failure."
    )
    external_reference: str | None = field(description="Reference of the firm's own, such as an order number.")
    comment: str | None = field(description="Comment by the firm's staff.")
    tags: list[str] = field(description="Labels set by the firm's staff.")
    created_at: datetime = field(description="Time of the purchase.")
    updated_at: datetime = field(description="Time of the last change.")
    payment: Payment = field(description="Method of payment.")
    payment_reference: str | None = field(
        description="Reference that an EXTERNAL payment must carry; pass it to the payment provider. Null for payment "
        "from the wallet."
    )
    expires_at: datetime | None = field(
        description="Time (system clock) at which an unpaid EXTERNAL purchase fails; null for payment from the wallet."
    )
    program_changed: bool | None = field(
        description="True if the program, including its status, has changed since the purchase, so that `program` may "
        "differ from what was sold; null once the program is deleted."
    )
    wallet_id: strawberry.Private[int | None]
    program_id: strawberry.Private[int | None]
    account_id: strawberry.Private[int | None]
    terms_hash: strawberry.Private[str]

    @computed("Wallet that pays; null if the purchase is paid outside, or if the token may not read the wallet.")
    async def wallet(self, info: Info) -> Wallet | None:
        return await read_one(info, WALLETS, self.wallet_id)

    @computed("Program in its current state; null once it is deleted.")
    async def program(self, info: Info) -> Program | None:
        return await read_one(info, PROGRAMS, self.program_id)

    @computed("Terms at the sale; null if this version of Propdesk cannot read them.")
    async def terms(self, info: Info) -> Terms | None:
        sold = await info.context.loaders.terms(self.terms_hash)
        return Terms(hash=self.terms_hash, version=sold.version)

    @computed("Account of the challenge's current phase; null if there is none.")
    async def account(self, info: Info) -> Annotated["Account", strawberry.lazy("schema.accounts")] | None:
        return await read_one(info, ACCOUNTS, self.account_id)

    @computed("Challenges of the purchase, newest first.")
    async def challenges(self, info: Info) -> list[Annotated["Challenge", strawberry.lazy("schema.challenges")]]:
        return await read_owned(info, CHALLENGES, ("purchase", int(self.id)), CHALLENGES_MAX)


@strawberry.input(description="Program to buy, and the method of payment.")
class BuyChallengeInput:
    program_id: ID = field(description="Program id. The program must be on sale.")
    wallet_id: ID | None = field(
        default=None,
        description="Wallet of the client in the currency of the price. Only for the payment method WALLET.",
    )
    payment: Payment = field(default=Payment.WALLET, description="Method of payment.")
    idempotency_key: str = field(description="Idempotency key. Repeating key and content buys nothing more.")


@strawberry.type(description="Result of buying a challenge.")
class BuyChallengePayload(Payload):
    purchase: Purchase | None = field(default=None, description="Purchase; null if refused.")
    challenge: Annotated["Challenge", strawberry.lazy("schema.challenges")] | None = field(
        default=None,
        description="Challenge; null if refused, and for an EXTERNAL purchase until it is paid.",
    )


@strawberry.input(description="Payment received by a payment provider.")
class ConfirmPaymentInput:
    reference: str = field(description="The purchase's `paymentReference`.")
    amount: Decimal = field(description="Amount paid; must equal the price.")
    currency: str = field(description="Currency code of the payment; must equal the price's.")
    idempotency_key: str = field(
        description="The provider's id of the payment or of its notification. Repeating the same key and content "
        "changes nothing more."
    )


@strawberry.type(description="Purchase whose payment was confirmed.")
class ConfirmedPurchase:
    id: ID = field(description="Purchase id.")
    challenge_id: ID = field(description="Id of the challenge that starts with this payment.")


@strawberry.type(description="Result of confirming a payment; a worker then activates the challenge.")
class ConfirmPaymentPayload(Payload):
    purchase: ConfirmedPurchase | None = field(
        default=None, description="Purchase; null if the payment was not accepted."
    )


@strawberry.input(description="Changes of a purchase. A field that is left out keeps its value; null clears it.")
class UpdatePurchaseInput:
    id: ID = field(description="Purchase id.")
    external_reference: str | None = field(
        default=UNSET, description="Reference of the firm's own, such as an order number."
    )
    comment: str | None = field(default=UNSET, description="Comment by the firm's staff.")
    tags: list[str] | None = field(
        default=UNSET, description="Labels set by the firm's staff; the list replaces the stored one."
    )
    status: PurchaseStatus | None = field(
        default=None,
        description="New state. PAID: the price was paid outside; a reservation in the wallet is released, and the "
        "challenge of a purchase waiting for its payment starts. FAILED: the challenge is cancelled.",
    )
    reason: str | None = field(default=None, description=f"Reason; required with FAILED. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=SHOWN)


@strawberry.type(description="Result of changing a purchase.")
class UpdatePurchasePayload(SavePayload):
    purchase: Purchase | None = field(default=None, description="Purchase after the change; null if refused.")


@strawberry.input(description="Purchase to delete. It must have no challenge, or be FAILED or REFUNDED.")
class DeletePurchaseInput:
    id: ID = field(description="Purchase id.")
    reason: str = field(description=f"Reason. {INTERNAL}")


@strawberry.type(description="Result of deleting a purchase.")
class DeletePurchasePayload(Payload):
    purchase_id: ID | None = field(default=None, description="Id of the deleted purchase; null if refused.")


@strawberry.input(description="Purchase to refund.")
class RefundPurchaseInput:
    id: ID = field(description="Purchase id.")
    reason: str = field(description=f"Reason. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=SHOWN)
    idempotency_key: str = field(description="Idempotency key. Repeating key and content refunds nothing more.")


@strawberry.type(description="Result of refunding a purchase: its challenge is cancelled and its account locked.")
class RefundPurchasePayload(Payload):
    purchase: Purchase | None = field(default=None, description="Purchase after the refund; null if refused.")


@strawberry.input(description="Filter for purchases.")
class PurchaseFilter:
    brand: str | None = field(default=None, description="Only purchases of this brand.")
    status: list[PurchaseStatus] | None = field(default=None, description="Only purchases in one of these states.")
    client: str | None = field(default=None, description="Only purchases by this client.")
    program_id: ID | None = field(default=None, description="Only purchases of this program.")
    wallet_id: ID | None = field(default=None, description="Only purchases paid from this wallet.")
    payment_reference: str | None = field(default=None, description="Only the purchase with this payment reference.")
    tag: str | None = field(default=None, description="Only purchases with this label.")
    created_from: datetime | None = field(default=None, description="Only purchases made at or after this time.")
    created_before: datetime | None = field(default=None, description="Only purchases made before this time.")
    text: str | None = field(
        default=None,
        description="Only the purchase with this id, or purchases with this text (case-insensitive) in the client, "
        "the program's name or, for MANAGER and ADMIN, the external reference.",
    )
