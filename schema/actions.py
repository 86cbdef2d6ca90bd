"""Decision actions, submitted and read."""

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
    description="One proposal. Every field is judged with its proposal: one that lacks a field, or has a value of "
    "another type, is rejected and spoils no other."
)
class DecisionActionInput:
    action_id: TextOrNumber | None = field(
        default=None, description="Required. The proposal's name, unique within its run."
    )
    action: TextOrNumber | None = field(
        default=None,
        description="Required. OPEN, INCREASE, REDUCE, CLOSE or PROTECT, in capitals or not. HOLD and CANCEL are "
        "recorded and rejected; any other word is rejected, and leaves the id free.",
    )
    symbol: TextOrNumber | None = field(default=None, description="Required. The instrument.")
    side: TextOrNumber | None = field(default=None, description="Required. LONG or SHORT.")
    quantity: TextOrNumber | None = field(default=None, description="How much, in the instrument's units.")
    notional: TextOrNumber | None = field(default=None, description="How much, in the account's currency.")
    lots: TextOrNumber | None = field(
        default=None, description="How much, in lots: the instrument's `contractSize` says how many units one has."
    )
    fraction: TextOrNumber | None = field(
        default=None, description="How much of the open position, above 0 and at most 1."
    )
    order: TextOrNumber | None = field(
        default=None, description="MARKET, or to trade at a price: LIMIT or STOP. Left out, MARKET."
    )
    price: TextOrNumber | None = field(default=None, description="Of a LIMIT or STOP, in the quote currency.")
    stop_loss: TextOrNumber | None = field(
        default=None,
        description="Closes the position once a quote reaches it: to OPEN or INCREASE, replacing an older, or to "
        "PROTECT what is open. Of a PROTECT, NONE or 0 removes it, and what is left out stays as it is; with a "
        "quantity or a fraction it closes that part.",
    )
    take_profit: TextOrNumber | None = field(default=None, description="The same on the winning side.")
    reference: TextOrNumber | None = field(default=None, description="A reference of the caller's own.")


@strawberry.input(description="A batch of proposals to one account.")
class SubmitDecisionActionsInput:
    account_id: ID = field(description="The account.")
    run_id: str = field(description="The caller's run; (account, run, action) is accepted once.")
    actions: list[DecisionActionInput | None] = field(
        description="1 to 250 proposals; one that is null is rejected by itself."
    )


@strawberry.type(description="The quote an action was judged by.")
class ActionQuote:
    bid: Decimal = field(description="The price at which the market bought.")
    ask: Decimal = field(description="The price at which the market sold.")
    source_time: datetime = field(description="When its source made it.")


@strawberry.type(description="The fill of an action.")
class ActionFill:
    id: ID = field(description="Its name: account-seq.")
    price: Decimal = field(description="At which price, in the quote currency.")
    quantity: Decimal = field(description="How much.")
    fee: Decimal = field(description="The fee, in the account's currency.")
    realised: Decimal = field(description="The profit it realised, before the fee, in the account's currency.")
    rate: Decimal = field(description="The worth of one of the quote currency in the account's, to 18 places.")
    rate_pairs: list[str] = field(description="The instruments that converted: none at par, two over a third currency.")
    rate_age_seconds: int | None = field(description="The rate's age at the fill, in whole seconds; null at par.")
    rate_stale: bool = field(description="Whether the rate was the last good one: too old to open or increase on.")

    @classmethod
    def of(cls, name: str, figures: Mapping[str, Any]) -> Self:
        """The fill of this name, from its figures as they are stored."""
        time: datetime | None = figures["rate_time"]
        return cls(
            id=ID(name),
            rate_pairs=names_of(figures["rate_pairs"]),
            rate_age_seconds=None if time is None else age_seconds(time, figures["filled_at"]),
            **{figure: figures[figure] for figure in ("price", "quantity", "fee", "realised", "rate", "rate_stale")},
        )


@strawberry.type(description="The answer to one proposal.")
class DecisionActionResult(FromRow, listing=ACTIONS):
    id: ID | None = field(
        description="Its name: account-seq. Null where nothing was stored: the same action id may then be sent again, "
        "and is judged anew."
    )
    action_id: str = field(description="The proposal's name.")
    run_id: str = field(description="The caller's run.")
    action: str = field(description="What was proposed.")
    symbol: str = field(description="The instrument.")
    side: str = field(description="The side.")
    reference: str | None = field(description="The caller's own reference.")
    status: ActionStatus = field(description="What became of it.")
    code: str | None = field(description="The gate that stopped it.")
    message: str | None = field(description="The same for people.")
    limit: str | None = field(description="The limit it was held against.")
    observed: str | None = field(description="What was found.")
    quote: ActionQuote | None = field(description="The quote it was judged by.")
    replayed: bool = field(description="Whether this is the stored answer to an earlier submission.")
    market_time: datetime | None = field(description="When it was judged, by the market's clock.")
    order: Order | None = field(description="The order it became, as it is now; of a PROTECT the first it placed.")
    fill: ActionFill | None = field(description="Its fill; of an order that rests, once it is filled.")
    account_id: strawberry.Private[int]

    @computed("The account.")
    async def account(self, info: Info) -> Account | None:
        return await read_one(info, ACCOUNTS, self.account_id)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "DecisionActionResult":
        """A recorded action, from a row of its listing."""
        return stored_result(row)


@strawberry.type(description="The answers to a batch of proposals.")
class SubmitDecisionActionsPayload(Payload):
    account: Account | None = field(default=None, description="The account as it is now; null if nothing was judged.")
    results: list[DecisionActionResult] = field(
        default_factory=list, description="One answer for each proposal, in the order of the input."
    )


@strawberry.type(description="What a batch of proposals would come to now; nothing of it is written.")
class PreviewDecisionActionsPayload(Payload):
    results: list[DecisionActionResult] = field(
        default_factory=list,
        description="What each proposal would be answered, in the order of the input; orders and fills bear the names "
        "they would have.",
    )
    after: AccountSnapshot | None = field(
        default=None, description="The account as the batch would leave it; null if nothing was judged."
    )


@strawberry.input(description="An order to be cancelled.")
class CancelOrderInput:
    order_id: ID = field(description="The order: account-seq.")
    reason: str | None = field(
        default=None,
        description="Why. A client's or a trader's own words are kept with the order; a manager's or an admin's in the "
        "audit, for the firm alone.",
    )
    shown_reason: str | None = field(
        default=None, description="Of a manager or an admin: what the client and the trader are told; null: nothing."
    )


@strawberry.type(description="The cancelled order.")
class CancelOrderPayload(Payload):
    order: Order | None = field(default=None, description="The order as it is now; null if nothing was done.")


MISSING = dict.fromkeys(REQUIRED, NotText("null"))


def action_of(run: str, data: DecisionActionInput | None) -> Action:
    """The proposal as the desk takes it; a required field that is missing is one that cannot be read."""
    if data is None:
        return Action(run=run, **MISSING)
    values = vars(data)
    if None in (data.action_id, data.action, data.symbol, data.side):
        values = {name: MISSING.get(name) if value is None else value for name, value in values.items()}
    return Action(run=run, **values)


def result_of(result: ActionResult) -> DecisionActionResult:
    """The desk's answer."""
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
    """What would be answered."""
    results = [result_of(result) for result in preview.results]
    return PreviewDecisionActionsPayload(results=results, after=AccountSnapshot.of(preview.after))


def stored_result(row: Mapping[str, Any]) -> DecisionActionResult:
    """A recorded action, as a row of its listing."""
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
