"""Voids and recomputations."""

import strawberry

from resolvers.read_back import found
from schema.arguments import Input, required
from schema.corrections import (
    RecomputeAccountInput,
    RecomputeAccountPayload,
    VoidFillInput,
    VoidFillPayload,
    VoidOrderInput,
    VoidOrderPayload,
    answered,
    names,
)
from schema.engine.permissions import mutation
from schema.engine.request_context import Info
from services import corrections
from services.principals import Role
from services.views.lists import ACCOUNTS

STAFF = (Role.ADMIN, Role.MANAGER)


@strawberry.type
class CorrectionMutation:
    @mutation("Void filled orders with their fills; the account becomes what remains comes to.", *STAFF)
    async def void_order(self, info: Info, given: Input[VoidOrderInput]) -> VoidOrderPayload:
        orders = names(given.order_ids, "orderIds")
        done = await corrections.void_orders(info.context.principal, orders, given.reason, given.shown_reason)
        return answered(VoidOrderPayload, await found(info, ACCOUNTS, done.account_id), done)

    @mutation("Void booked fills with their orders; the account becomes what remains comes to.", *STAFF)
    async def void_fill(self, info: Info, given: Input[VoidFillInput]) -> VoidFillPayload:
        fills = names(given.fill_ids, "fillIds")
        done = await corrections.void_fills(info.context.principal, fills, given.reason, given.shown_reason)
        return answered(VoidFillPayload, await found(info, ACCOUNTS, done.account_id), done)

    @mutation("Compute an account again from its booked fills: what differs, and corrected if so told.", *STAFF)
    async def recompute_account(self, info: Info, given: Input[RecomputeAccountInput]) -> RecomputeAccountPayload:
        account_id = required(given.account_id, "accountId")
        done = await corrections.recompute(
            info.context.principal, account_id, given.reason, apply=given.apply, shown=given.shown_reason
        )
        return answered(RecomputeAccountPayload, await found(info, ACCOUNTS, account_id), done)
