"""Decision actions."""

import strawberry

from resolvers.read_back import found
from schema.actions import (
    CancelOrderInput,
    CancelOrderPayload,
    DecisionActionResult,
    PreviewDecisionActionsPayload,
    SubmitDecisionActionsInput,
    SubmitDecisionActionsPayload,
    answered,
    previewed,
    proposed,
    stored,
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
    @query("A recorded decision action; null if there is none of this id.", *TRADERS)
    async def decision_action(self, info: Info, key: Id) -> DecisionActionResult | None:
        name = parse_ledger_id(key)
        if name is None:
            return None
        page = await lists.page(info.context.principal, ACTIONS, (("name", name),), PageRequest(1))
        return stored(page.rows[0]) if page.rows else None

    @query("What a batch of proposals would come to now; nothing is written.", *TRADERS, refusals=True)
    async def preview_decision_actions(
        self, info: Info, given: Input[SubmitDecisionActionsInput]
    ) -> PreviewDecisionActionsPayload:
        info.context.count_actions(len(given.actions))
        account_id = required(given.account_id, "accountId")
        batch = [proposed(given.run_id, action) for action in given.actions]
        return previewed(await actions.preview(info.context.principal, account_id, given.run_id, batch))


@strawberry.type
class ActionMutation:
    @mutation("Propose actions to an account; each is gated, executed or rejected, and answered.", *TRADERS)
    async def submit_decision_actions(
        self, info: Info, given: Input[SubmitDecisionActionsInput]
    ) -> SubmitDecisionActionsPayload:
        info.context.count_actions(len(given.actions))
        account_id = required(given.account_id, "accountId")
        batch = [proposed(given.run_id, action) for action in given.actions]
        results = await actions.submit(info.context.principal, account_id, given.run_id, batch)
        account = await found(info, ACCOUNTS, account_id)
        return SubmitDecisionActionsPayload(account=account, results=[answered(result) for result in results])

    @mutation("Cancel an order that rests.", *TRADERS)
    async def cancel_order(self, info: Info, given: Input[CancelOrderInput]) -> CancelOrderPayload:
        account_id, seq = required_name(given.order_id, "orderId")
        await orders.cancel(info.context.principal, account_id, seq, given.reason, given.shown_reason)
        rows = await lists.by_ids(info.context.principal, ORDERS_NAMED, "id", [given.order_id])
        return CancelOrderPayload(order=Order.of(rows[given.order_id]))
