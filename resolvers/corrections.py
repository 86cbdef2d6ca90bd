"""Root fields for corrections: voids and recomputations."""

import strawberry

from resolvers.read_back import read_back
from schema.arguments import Input, required
from schema.corrections import (
    RecomputeAccountInput,
    RecomputeAccountPayload,
    VoidFillInput,
    VoidFillPayload,
    VoidOrderInput,
    VoidOrderPayload,
    correction_payload,
    ledger_names,
)
from schema.engine.permissions import mutation
from schema.engine.request_context import Info
from services import corrections
from services.principals import Role
from services.views.lists import ACCOUNTS

STAFF = (Role.ADMIN, Role.MANAGER)


@strawberry.type
class CorrectionMutation:
    @mutation("Void filled orders with their fills, and recompute the account from the remaining fills.", *STAFF)
    async def void_order(self, info: Info, data: Input[VoidOrderInput]) -> VoidOrderPayload:
        orders = ledger_names(data.order_ids, "orderIds")
        done = await corrections.void_orders(info.context.principal, orders, data.reason, data.shown_reason)
        return correction_payload(VoidOrderPayload, await read_back(info, ACCOUNTS, done.account_id), done)

    @mutation("Void booked fills with their orders, and recompute the account from the remaining fills.", *STAFF)
    async def void_fill(self, info: Info, data: Input[VoidFillInput]) -> VoidFillPayload:
        fills = ledger_names(data.fill_ids, "fillIds")
        done = await corrections.void_fills(info.context.principal, fills, data.reason, data.shown_reason)
        return correction_payload(VoidFillPayload, await read_back(info, ACCOUNTS, done.account_id), done)

    @mutation(
        "Recompute an account from its booked fills, and return the differences. They are corrected only if `apply` "
        "is true.",
        *STAFF,
    )
    async def recompute_account(self, info: Info, data: Input[RecomputeAccountInput]) -> RecomputeAccountPayload:
        account_id = required(data.account_id, "accountId")
        done = await corrections.recompute_account(
            info.context.principal, account_id, data.reason, apply=data.apply, shown=data.shown_reason
        )
        return correction_payload(RecomputeAccountPayload, await read_back(info, ACCOUNTS, account_id), done)
