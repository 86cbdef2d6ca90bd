"""Root fields for purchases."""

import strawberry
from strawberry import ID, UNSET

from resolvers.read_back import read_back
from schema.arguments import Filter, Id, Input, required
from schema.engine.ids import parse_id
from schema.engine.paging import After, Connection, First, page_request, read_one, read_page
from schema.engine.permissions import mutation, query
from schema.engine.request_context import Info
from schema.filters import filters_of
from schema.payloads import field_changes
from schema.purchases import (
    BuyChallengeInput,
    BuyChallengePayload,
    ConfirmedPurchase,
    ConfirmPaymentInput,
    ConfirmPaymentPayload,
    DeletePurchaseInput,
    DeletePurchasePayload,
    Purchase,
    PurchaseFilter,
    RefundPurchaseInput,
    RefundPurchasePayload,
    UpdatePurchaseInput,
    UpdatePurchasePayload,
)
from services import payments, purchases, refunds
from services.principals import Role
from services.views.lists import CHALLENGES, PURCHASES

NOTES = ("external_reference", "comment", "tags")


@strawberry.type
class PurchaseQuery:
    @query("Purchases, newest first within each brand.", Role.ADMIN, Role.MANAGER, Role.CLIENT)
    async def purchases(
        self, info: Info, first: First = 20, after: After = None, where: Filter[PurchaseFilter] = None
    ) -> Connection[Purchase]:
        return await read_page(info, PURCHASES, page_request(PURCHASES, first, after), filters_of(where))

    @query(
        "Purchase with this id; null if it does not exist or the token may not read it.",
        Role.ADMIN,
        Role.MANAGER,
        Role.CLIENT,
    )
    async def purchase(self, info: Info, key: Id) -> Purchase | None:
        return await read_one(info, PURCHASES, parse_id(key))


@strawberry.type
class PurchaseMutation:
    @mutation("Buy a program that is on sale. A worker then activates the challenge.", Role.CLIENT)
    async def buy_challenge(self, info: Info, data: Input[BuyChallengeInput]) -> BuyChallengePayload:
        program_id, wallet_id = required(data.program_id, "programId"), data.wallet_id
        purchase_id, challenge_id = await purchases.place_purchase(
            info.context.principal,
            program_id,
            None if wallet_id is None else required(wallet_id, "walletId"),
            data.payment,
            data.idempotency_key,
        )
        challenge = await read_back(info, CHALLENGES, challenge_id) if challenge_id else None
        return BuyChallengePayload(purchase=await read_back(info, PURCHASES, purchase_id), challenge=challenge)

    @mutation(
        "Confirm a payment made outside the desk. Its purchase is activated once.",
        Role.ADMIN,
        Role.MANAGER,
        Role.PAYMENTS,
    )
    async def confirm_payment(self, info: Info, data: Input[ConfirmPaymentInput]) -> ConfirmPaymentPayload:
        paid = await payments.confirm_payment(
            info.context.principal,
            reference=data.reference,
            amount=data.amount,
            currency=data.currency,
            key=data.idempotency_key,
        )
        purchase = ConfirmedPurchase(id=ID(str(paid.purchase)), challenge_id=ID(str(paid.challenge)))
        return ConfirmPaymentPayload(purchase=purchase)

    @mutation("Change the notes of a purchase, or set its status by hand.", Role.ADMIN, Role.MANAGER)
    async def update_purchase(self, info: Info, data: Input[UpdatePurchaseInput]) -> UpdatePurchasePayload:
        purchase_id = required(data.id, "id")
        changes = {name: value for name in NOTES if (value := getattr(data, name)) is not UNSET}
        saved = await purchases.update_purchase(
            info.context.principal,
            purchase_id,
            changes=changes,
            status=data.status,
            reason=data.reason or "",
            shown=data.shown_reason,
        )
        return UpdatePurchasePayload(
            purchase=await read_back(info, PURCHASES, purchase_id), changes=field_changes(saved)
        )

    @mutation(
        "Delete a purchase that has no challenge, has failed or was refunded. A challenge is not deleted.",
        Role.ADMIN,
        Role.MANAGER,
    )
    async def delete_purchase(self, info: Info, data: Input[DeletePurchaseInput]) -> DeletePurchasePayload:
        purchase_id = required(data.id, "id")
        await purchases.delete_purchase(info.context.principal, purchase_id, data.reason)
        return DeletePurchasePayload(purchase_id=ID(str(purchase_id)))

    @mutation(
        "Refund the price of a purchase and cancel its challenge. Refused while a payout is open.",
        Role.ADMIN,
        Role.MANAGER,
    )
    async def refund_purchase(self, info: Info, data: Input[RefundPurchaseInput]) -> RefundPurchasePayload:
        purchase_id = required(data.id, "id")
        await refunds.refund(
            info.context.principal,
            purchase_id,
            reason=data.reason,
            key=data.idempotency_key,
            shown=data.shown_reason,
        )
        return RefundPurchasePayload(purchase=await read_back(info, PURCHASES, purchase_id))
