"""Root fields for decision actions and orders."""

import strawberry

from resolvers.read_back import read_back
from schema.actions import (
    CancelOrderInput,
    CancelOrderPayload,
    DecisionActionResult,
    PreviewDecisionActionsPayload,
    SubmitDecisionActionsInput,
    SubmitDecisionActionsPayload,
    action_of,
    preview_of,
    result_of,
    stored_result,
)
from schema.arguments import Id, Input, required, required_name
from schema.engine.ids import parse_ledger_id
from schema.engine.permissions import mutation, query
from schema.engine.request_context import Info
from schema.orders import Order
from services import actions, orders
from services.principals import Role
from services.views import lists
from services.views.lists import ACCOUNTS, ACTIONS, ORDERS_NAMED, PageRequest

TRADERS = (Role.ADMIN, Role.MANAGER, Role.CLIENT, Role.TRADER)


@strawberry.type
class ActionQuery:
    @query("Recorded decision action with this id; null if it does not exist or the token may not read it.", *TRADERS)
    async def decision_action(self, info: Info, key: Id) -> DecisionActionResult | None:
        name = parse_ledger_id(key)
        if name is None:
            return None
        page = await lists.list_page(info.context.principal, ACTIONS, (("name", name),), PageRequest(1))
        return stored_result(page.rows[0]) if page.rows else None

    @query("Results that submitting these actions would have now; nothing is written.", *TRADERS, refusals=True)
    async def preview_decision_actions(
        self, info: Info, data: Input[SubmitDecisionActionsInput]
    ) -> PreviewDecisionActionsPayload:
        info.context.count_actions(len(data.actions))
        account_id = required(data.account_id, "accountId")
        batch = [action_of(data.run_id, action) for action in data.actions]
        return preview_of(await actions.preview(info.context.principal, account_id, data.run_id, batch))


@strawberry.type
class ActionMutation:
    @mutation(
        "Propose actions to an account. Each action is checked by the gates and then executed or rejected; the result "
        "says which.",
        *TRADERS,
    )
    async def submit_decision_actions(
        self, info: Info, data: Input[SubmitDecisionActionsInput]
    ) -> SubmitDecisionActionsPayload:
        info.context.count_actions(len(data.actions))
        account_id = required(data.account_id, "accountId")
        batch = [action_of(data.run_id, action) for action in data.actions]
        results = await actions.submit(info.context.principal, account_id, data.run_id, batch)
        account = await read_back(info, ACCOUNTS, account_id)
        return SubmitDecisionActionsPayload(account=account, results=[result_of(result) for result in results])

    @mutation("Cancel a working order.", *TRADERS)
    async def cancel_order(self, info: Info, data: Input[CancelOrderInput]) -> CancelOrderPayload:
        account_id, seq = required_name(data.order_id, "orderId")
        await orders.cancel_order(info.context.principal, account_id, seq, data.reason, data.shown_reason)
        rows = await lists.rows_by_ids(info.context.principal, ORDERS_NAMED, "id", [data.order_id])
        return CancelOrderPayload(order=Order.of(rows[data.order_id]))
