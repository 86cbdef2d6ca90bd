"""Root fields for payouts."""

import strawberry

from resolvers.read_back import read_back
from schema.arguments import Filter, Input, required
from schema.engine.paging import After, Connection, First, page_request, read_page
from schema.engine.permissions import mutation, query
from schema.engine.request_context import Info
from schema.filters import filters_of
from schema.payouts import (
    ApprovePayoutInput,
    ApprovePayoutPayload,
    CancelPayoutInput,
    CancelPayoutPayload,
    Payout,
    PayoutFilter,
    RejectPayoutInput,
    RejectPayoutPayload,
    RequestPayoutInput,
    RequestPayoutPayload,
)
from services import payouts
from services.principals import Role
from services.views.lists import PAYOUTS

PAYEES = (Role.ADMIN, Role.MANAGER, Role.CLIENT)
DECIDERS = (Role.ADMIN, Role.MANAGER)


@strawberry.type
class PayoutQuery:
    @query("Payouts, newest first within each brand.", *PAYEES)
    async def payouts(
        self, info: Info, first: First = 20, after: After = None, where: Filter[PayoutFilter] = None
    ) -> Connection[Payout]:
        return await read_page(info, PAYOUTS, page_request(PAYOUTS, first, after), filters_of(where))


@strawberry.type
class PayoutMutation:
    @mutation(
        "Request a payout of a funded phase's profit, all or a part. The profit is held until a manager decides.",
        *PAYEES,
    )
    async def request_payout(self, info: Info, data: Input[RequestPayoutInput]) -> RequestPayoutPayload:
        challenge = required(data.challenge_id, "challengeId")
        payout = await payouts.request_payout(info.context.principal, challenge, data.idempotency_key, data.amount)
        return RequestPayoutPayload(payout=await read_back(info, PAYOUTS, payout))

    @mutation("Approve a requested payout; it is paid afterwards.", *DECIDERS)
    async def approve_payout(self, info: Info, data: Input[ApprovePayoutInput]) -> ApprovePayoutPayload:
        payout = required(data.id, "id")
        await payouts.approve_payout(info.context.principal, payout, data.idempotency_key)
        return ApprovePayoutPayload(payout=await read_back(info, PAYOUTS, payout))

    @mutation("Reject a requested payout; its profit returns to the account.", *DECIDERS)
    async def reject_payout(self, info: Info, data: Input[RejectPayoutInput]) -> RejectPayoutPayload:
        payout = required(data.id, "id")
        await payouts.reject_payout(
            info.context.principal, payout, data.reason, data.idempotency_key, data.shown_reason
        )
        return RejectPayoutPayload(payout=await read_back(info, PAYOUTS, payout))

    @mutation("Cancel a requested payout; its profit returns to the account.", *PAYEES)
    async def cancel_payout(self, info: Info, data: Input[CancelPayoutInput]) -> CancelPayoutPayload:
        payout = required(data.id, "id")
        await payouts.cancel_payout(
            info.context.principal, payout, data.idempotency_key, data.reason, data.shown_reason
        )
        return CancelPayoutPayload(payout=await read_back(info, PAYOUTS, payout))
