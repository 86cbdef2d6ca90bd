"""Decision actions: proposals, results and their conversion from and to the domain."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

import strawberry
from strawberry import ID, field

from domain.conversion import names_of
from domain.holdings import age_seconds
from domain.lifecycles import ActionStatus
from domain.orders import Action, ActionResult, Fill
from domain.proposals import REQUIRED, NotText
from schema.accounts import Account
from schema.engine.computed_fields import computed
from schema.engine.ids import ledger_id
from schema.engine.item_errors import TextOrNumber
from schema.engine.paging import read_one
from schema.engine.request_context import Info
from schema.engine.row_types import FromRow
from schema.inputs import flat
from schema.orders import Order
from schema.payloads import Payload
from schema.snapshots import AccountSnapshot
from services.actions import Preview
from services.views.lists import ACCOUNTS, ACTIONS

ORDER_FIGURES = (
    "symbol", "side", "verb", "type", "price", "stop_loss", "take_profit", "quantity", "status", "reason", "placed_at",
    "batch", "ended_at", "outcome", "origin",
)  # fmt: skip
FILL_FIGURES = (
    "price", "quantity", "fee", "realised", "rate", "rate_pairs", "rate_time", "rate_stale", "filled_at",
)  # fmt: skip


@flat
@strawberry.input(
    description="One proposed action. Each proposal is judged on its own: one with a missing field or a value of a "
    "wrong type is rejected without affecting the others."
)
class DecisionActionInput:
    action_id: TextOrNumber | None = field(
        default=None, description="Required. Id of the proposal, chosen by the caller and unique within its run."
    )
    action: TextOrNumber | None = field(
        default=None,
        description="Required. OPEN, INCREASE, REDUCE, CLOSE or PROTECT, in upper or lower case. HOLD and CANCEL are "
        "recorded and rejected; any other word is rejected without being recorded, so that the action id may be used "
        "again.",
    )
    symbol: TextOrNumber | None = field(default=None, description="Required. Instrument symbol.")
    side: TextOrNumber | None = field(default=None, description="Required. LONG or SHORT.")
    quantity: TextOrNumber | None = field(default=None, description="Order size in units of the instrument.")
    notional: TextOrNumber | None = field(
        default=None, description="Order size as a notional amount in the account's currency."
    )
    lots: TextOrNumber | None = field(
        default=None, description="Order size in lots; one lot is the instrument's `contractSize` in units."
    )
    fraction: TextOrNumber | None = field(
        default=None, description="Order size as a share of the open position, above 0 and at most 1."
    )
    order: TextOrNumber | None = field(
        default=None, description="Order type: MARKET, LIMIT or STOP. MARKET if left out."
    )
    price: TextOrNumber | None = field(
        default=None, description="Price of a LIMIT or STOP order, in the quote currency."
    )
    stop_loss: TextOrNumber | None = field(
        default=None,
        description="Stop-loss price in the quote currency; the position is closed when a quote reaches it. With OPEN "
        "or INCREASE it replaces an earlier stop-loss. With PROTECT it is set on the open position; NONE or 0 removes "
        "it, and leaving it out keeps it; with a quantity or fraction it closes only that part.",
    )
    take_profit: TextOrNumber | None = field(
        default=None, description="Take-profit price in the quote currency, under the same conditions as `stopLoss`."
    )
    reference: TextOrNumber | None = field(
        default=None, description="Free text or number of the caller's own, returned with the result."
    )


@strawberry.input(description="Actions proposed to one account.")
class SubmitDecisionActionsInput:
    account_id: ID = field(description="Account number.")
    run_id: str = field(description="Name of the caller's run; account, run and action id are accepted once.")
    actions: list[DecisionActionInput | None] = field(
        description="1 to 250 proposals; a null item is rejected without affecting the others."
    )


@strawberry.type(description="Quote at which an action was judged.")
class ActionQuote:
    bid: Decimal = field(description="Bid price in the quote currency.")
    ask: Decimal = field(description="Ask price in the quote currency.")
    source_time: datetime = field(description="Time that the source gave the quote.")


@strawberry.type(description="Execution of an action.")
class ActionFill:
    id: ID = field(description="Fill id: `<account number>-<seq>`.")
    price: Decimal = field(description="Execution price in the quote currency.")
    quantity: Decimal = field(description="Quantity in units of the instrument; positive.")
    fee: Decimal = field(description="Fee in the account's currency.")
    realised: Decimal = field(description="Profit or loss of the fill, before its fee, in the account's currency.")
    rate: Decimal = field(description="Conversion rate: account currency per quote currency, up to 18 decimal places.")
    rate_pairs: list[str] = field(description="Symbols used for the conversion: up to two, none if not needed.")
    rate_age_seconds: int | None = field(
        description="Age of the rate at the fill, in seconds; null without conversion."
    )
    rate_stale: bool = field(description="True if the conversion rate was too old to open or increase a position.")

    @classmethod
    def of(cls, name: str, figures: Mapping[str, Any]) -> Self:
        """Return the fill with this id from its stored figures."""
        time: datetime | None = figures["rate_time"]
        return cls(
            id=ID(name),
            rate_pairs=names_of(figures["rate_pairs"]),
            rate_age_seconds=None if time is None else age_seconds(time, figures["filled_at"]),
            **{figure: figures[figure] for figure in ("price", "quantity", "fee", "realised", "rate", "rate_stale")},
        )


@strawberry.type(description="Result of one proposed action.")
class DecisionActionResult(FromRow, listing=ACTIONS):
    id: ID | None = field(
        description="Record id: `<account number>-<seq>`. Null if nothing was recorded; the same action id may then "
        "be sent again and is judged anew."
    )
    action_id: str = field(description="Action id chosen by the caller.")
    run_id: str = field(description="Name of the caller's run.")
    action: str = field(description="Proposed action, such as OPEN.")
    symbol: str = field(description="Instrument symbol as proposed.")
    side: str = field(description="Side as proposed.")
    reference: str | None = field(description="Reference chosen by the caller; null if none.")
    status: ActionStatus = field(description="Outcome of the proposal.")
    code: str | None = field(description="Code of the gate that rejected the action; null if it was not rejected.")
    message: str | None = field(description="Reason for the rejection, in plain words; null if not rejected.")
    limit: str | None = field(description="Limit of the gate that rejected the action, as text; null if there is none.")
    observed: str | None = field(description="Value compared with the limit, as text; null if there is none.")
    quote: ActionQuote | None = field(description="Quote at which the action was judged; null without one.")
    replayed: bool = field(description="True if this is the stored result of an earlier submission.")
    market_time: datetime | None = field(description="Market time at which the action was judged.")
    order: Order | None = field(
        description="Order that the action placed, in its current state; for PROTECT the first of its orders. Null if "
        "none was placed."
    )
    fill: ActionFill | None = field(description="Fill of the order; null until the order is filled.")
    account_id: strawberry.Private[int]

    @computed("Account to which the action was proposed.")
    async def account(self, info: Info) -> Account | None:
        return await read_one(info, ACCOUNTS, self.account_id)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "DecisionActionResult":
        """Return a recorded action from a row of the list of actions."""
        return stored_result(row)


@strawberry.type(description="Results of submitted actions.")
class SubmitDecisionActionsPayload(Payload):
    account: Account | None = field(
        default=None, description="Account after the actions; null if no action was judged."
    )
    results: list[DecisionActionResult] = field(
        default_factory=list, description="One result for each proposal, in the order of the input."
    )


@strawberry.type(description="Results that submitting the actions would have now; nothing is written.")
class PreviewDecisionActionsPayload(Payload):
    results: list[DecisionActionResult] = field(
        default_factory=list,
        description="One expected result for each proposal, in the order of the input. Orders and fills carry the ids "
        "they would get.",
    )
    after: AccountSnapshot | None = field(
        default=None, description="Account as it would be after the actions; null if no action was judged."
    )


@strawberry.input(description="Order to cancel.")
class CancelOrderInput:
    order_id: ID = field(description="Order id: `<account number>-<seq>`.")
    reason: str | None = field(
        default=None,
        description="Reason for cancelling. Text from a client or trader is stored with the order; text from a "
        "manager or admin goes to the audit, which only the firm's staff can read.",
    )
    shown_reason: str | None = field(
        default=None,
        description="Only for managers and admins: reason shown to the client and the trader; null shows none.",
    )


@strawberry.type(description="Result of cancelling an order.")
class CancelOrderPayload(Payload):
    order: Order | None = field(default=None, description="Order after the request; null if refused.")


MISSING = dict.fromkeys(REQUIRED, NotText("null"))


def action_of(run: str, data: DecisionActionInput | None) -> Action:
    """Return the action of a proposal; a missing required field becomes a value that cannot be read."""
    if data is None:
        return Action(run=run, **MISSING)
    values = vars(data)
    if None in (data.action_id, data.action, data.symbol, data.side):
        values = {name: MISSING.get(name) if value is None else value for name, value in values.items()}
    return Action(run=run, **values)


def result_of(result: ActionResult) -> DecisionActionResult:
    """Return the result of a submitted action for the API."""
    content, refusal = result.content, result.refusal
    return DecisionActionResult(
        id=ledger_id(result.account, result.seq),
        action_id=content.action_id,
        run_id=content.run,
        action=content.action,
        symbol=content.symbol,
        side=content.side,
        reference=content.reference,
        status=result.status,
        code=refusal.code if refusal else None,
        message=refusal.message if refusal else None,
        limit=refusal.limit if refusal else None,
        observed=refusal.observed if refusal else None,
        quote=_quote(result.quote),
        replayed=result.replayed,
        market_time=result.market_time,
        order=_order(result),
        fill=_fill(result.fill),
        account_id=result.account,
    )


def preview_of(preview: Preview) -> PreviewDecisionActionsPayload:
    """Return the expected results of a preview for the API."""
    results = [result_of(result) for result in preview.results]
    return PreviewDecisionActionsPayload(results=results, after=AccountSnapshot.of(preview.after))


def stored_result(row: Mapping[str, Any]) -> DecisionActionResult:
    """Return the result of a recorded action from a row of the list of actions."""
    content, refusal = json.loads(row["content"]), json.loads(row["refusal"] or "{}")
    fill = None
    if row["fill_seq"] is not None:
        figures = {figure: row[f"fill_{figure}"] for figure in FILL_FIGURES}
        fill = ActionFill.of(f"{row['account_id']}-{row['fill_seq']}", figures)
    return DecisionActionResult(
        id=ID(row["id"]),
        action_id=row["action_id"],
        run_id=row["run"],
        **{key: content.get(key) for key in ("action", "symbol", "side", "reference")},
        status=ActionStatus(row["status"]),
        **{key: refusal.get(key) for key in ("code", "message", "limit", "observed")},
        quote=_quote(json.loads(row["quote"])),
        replayed=True,
        market_time=row["market_time"],
        order=_stored_order(row),
        fill=fill,
        account_id=row["account_id"],
    )


def _quote(facts: Mapping[str, Any]) -> ActionQuote | None:
    if "bid" not in facts:
        return None
    at = datetime.fromisoformat(facts["source_time"])
    return ActionQuote(bid=Decimal(facts["bid"]), ask=Decimal(facts["ask"]), source_time=at)


def _fill(fill: Fill | None) -> ActionFill | None:
    if fill is None:
        return None
    return ActionFill.of(f"{fill.account}-{fill.seq}", {figure: getattr(fill, figure) for figure in FILL_FIGURES})


def _order(result: ActionResult) -> Order | None:
    order = result.order
    if order is None:
        return None
    figures = {figure: getattr(order, figure) for figure in ORDER_FIGURES}
    return _named_order(result.account, result.seq, order.seq, figures)


def _stored_order(row: Mapping[str, Any]) -> Order | None:
    if row["order_seq"] is None:
        return None
    figures = {figure: row[f"order_{figure}"] for figure in ORDER_FIGURES}
    return _named_order(row["account_id"], row["seq"], row["order_seq"], figures)


def _named_order(account: int, action: int | None, seq: int, figures: dict[str, Any]) -> Order:
    names = {"id": ledger_id(account, seq), "action_id": ledger_id(account, action)}
    return Order.of(figures | names | {"seq": seq, "origin_id": ledger_id(account, figures.pop("origin"))})
