"""Working orders of a trader: proposed, previewed, found by the action's id, cancelled."""

from typing import Any

from services import brands
from services.principals import Role
from tests.api.clients import Api, stamped
from tests.api.operations import SUBMIT
from tests.services.world import ADMIN, a_world, books_hold, totals, value

ORDER = "id type status verb quantity price stopLoss takeProfit reason endedAt outcome"
ACTION = f"query ($id: ID!) {{ decisionAction(id: $id) {{ status order {{ {ORDER} }} fill {{ price quantity }} }} }}"
CANCEL = f"""mutation ($input: CancelOrderInput!) {{ cancelOrder(input: $input) {{
  order {{ {ORDER} }} userErrors {{ code field message }} }} }}"""
ORDERS = "query ($id: ID!) { account(id: $id) { orders { nodes { type status price } } } }"
PREVIEW = """query ($input: SubmitDecisionActionsInput!) { previewDecisionActions(input: $input) {
  results { id actionId status code limit observed quote { bid } order { type status price } fill {
    price quantity fee realised } replayed }
  after { cash equity unrealised exposure { gross } positions { symbol side quantity averageEntry } }
  userErrors { code field } } }"""


def batch(account: int, *actions: dict[str, Any], run: str = "r1") -> dict[str, Any]:
    own = {"symbol": "EURUSD", "side": "LONG"}
    named = [{"actionId": f"a{n}", "action": "OPEN"} | own | action for n, action in enumerate(actions)]
    return {"accountId": str(account), "runId": run, "actions": named}


ENTRY = {"quantity": "1000", "order": "LIMIT", "price": "1.09", "stopLoss": "1.08", "takeProfit": "1.12"}


async def test_an_order_is_proposed_followed_and_cancelled(api: Api) -> None:
    world = await a_world(api.database_url)
    _, account = await world.buy()
    trader, manager = await api.token(Role.TRADER, "acme"), await api.token(Role.MANAGER, "acme")
    short = {"side": "SHORT", "quantity": "1000", "order": "LIMIT", "price": "1.2"}
    wrong = {"quantity": "1000", "order": "LIMIT", "price": "1.09", "stopLoss": "1.1"}
    answer = (await api.ask(SUBMIT, trader, input=batch(account, ENTRY, short, wrong)))["submitDecisionActions"]
    entry, other, refused = answer["results"]
    assert (entry["status"], entry["fill"], refused["code"], refused["observed"]) == (
        "WORKING", None, "STOP_LOSS_SIDE", "1.1",
    )  # fmt: skip
    found = (await api.ask(ACTION, trader, id=entry["id"]))["decisionAction"]
    assert found["order"] == {
        "id": entry["order"]["id"], "type": "LIMIT", "status": "WORKING", "verb": "OPEN", "quantity": "1000",
        "price": "1.09", "stopLoss": "1.08", "takeProfit": "1.12", "reason": "ACTION", "endedAt": None, "outcome": {},
    }  # fmt: skip

    await world.quote("1.089")
    found = (await api.ask(ACTION, trader, id=entry["id"]))["decisionAction"]
    assert (found["status"], found["order"]["status"], found["fill"]["price"]) == ("WORKING", "FILLED", "1.089")
    listed = (await api.ask(ORDERS, trader, id=str(account)))["account"]["orders"]["nodes"]
    assert [(order["type"], order["status"], order["price"]) for order in listed] == [
        ("TAKE_PROFIT", "WORKING", "1.12"),
        ("STOP_LOSS", "WORKING", "1.08"),
        ("LIMIT", "WORKING", "1.2"),
        ("LIMIT", "FILLED", "1.09"),
    ]

    withdrawn = {"orderId": other["order"]["id"], "reason": "news", "shownReason": "for the news"}
    cancelled = (await api.ask(CANCEL, manager, input=withdrawn))["cancelOrder"]["order"]
    assert (cancelled["status"], cancelled["outcome"], bool(cancelled["endedAt"])) == (
        "CANCELLED", {"reason": "REQUESTED", "shown": "for the news"}, True,
    )  # fmt: skip
    again = (await api.ask(CANCEL, manager, input=withdrawn))["cancelOrder"]
    assert (again["order"], [error["code"] for error in again["userErrors"]]) == (None, ["INVALID_TRANSITION"])
    for name in (f"{account}-999", "999-1", "x"):
        assert await api.code(CANCEL, trader, input={"orderId": name}) == "NOT_FOUND"
    await brands.save_brand(ADMIN, name="other", title="Another firm")
    stranger = await api.token(Role.TRADER, "other")
    assert await api.code(CANCEL, stranger, input={"orderId": other["order"]["id"]}) == "NOT_FOUND"


async def test_a_preview_answers_gates_fill_fee_and_the_account_afterwards_and_writes_nothing(api: Api) -> None:
    world = await a_world(api.database_url, policy={"fee_bps": 10})
    _, account = await world.buy()
    client = await api.token(Role.CLIENT, "acme", "alice")
    await stamped()
    before = await totals()
    proposed = batch(
        account, {"quantity": "2000"}, {"action": "REDUCE", "fraction": "0.5"}, {"notional": "900000"}, ENTRY
    )
    shown = (await api.ask(PREVIEW, client, input=proposed))["previewDecisionActions"]
    opened, reduced, large, resting = shown["results"]
    assert [r["id"] for r in shown["results"]] == [None] * 4
    assert opened["fill"] == {"price": "1.1", "quantity": "2000", "fee": "2.2", "realised": "0"}
    assert (reduced["status"], large["code"], resting["code"]) == ("EXECUTED", "POSITION_EXISTS", "POSITION_EXISTS")
    assert shown["after"] == {
        "cash": "99996.7", "equity": "99996.7", "unrealised": "0", "exposure": {"gross": "1100"},
        "positions": [{"symbol": "EURUSD", "side": "LONG", "quantity": "1000", "averageEntry": "1.1"}],
    }  # fmt: skip
    empty = (await api.ask(PREVIEW, client, input=batch(account)))["previewDecisionActions"]
    assert (empty["after"], empty["userErrors"]) == (None, [{"code": "INVALID_INPUT", "field": "actions"}])
    assert await api.code(PREVIEW, client, input=batch(account + 1, {})) == "NOT_FOUND"
    assert await totals() == before


VERSIONS = """query ($id: ID!) { account(id: $id) {
  orders(filter: { type: [STOP_LOSS, TAKE_PROFIT] }) { nodes {
    id type verb status quantity price originId history { id status price outcome } } }
  decisionContext { permissions { verb allowed } orders { type price } } } }"""


async def test_protection_is_set_moved_and_removed_and_its_history_is_read(api: Api) -> None:
    world = await a_world(api.database_url)
    _, account = await world.buy()
    trader = await api.token(Role.TRADER, "acme")
    protect = {"action": "protect", "actionId": "p0"}
    first = batch(
        account,
        {"quantity": "10000"},
        {**protect, "stopLoss": 1.08, "takeProfit": "1.12"},
        {**protect, "actionId": "p1", "stopLoss": "1.09", "takeProfit": "NONE"},
        {**protect, "actionId": "p2", "stopLoss": "1.095", "fraction": "0.4"},
        {"action": "CLOSE", "order": "STOP", "price": "1.05"},
    )
    shown = (await api.ask(PREVIEW, trader, input=first))["previewDecisionActions"]["results"]
    for again in (False, True):
        results = (await api.ask(SUBMIT, trader, input=first))["submitDecisionActions"]["results"]
        assert [one["status"] for one in results] == ["EXECUTED"] * 4 + ["WORKING"]
        assert [one["status"] for one in shown] == [one["status"] for one in results]
        assert [one["replayed"] for one in results] == [again] * 5
        assert [one["fill"] is None for one in results] == [False, True, True, True, True]
    found = (await api.ask(VERSIONS, trader, id=str(account)))["account"]
    newest, removed, oldest = (found["orders"]["nodes"][place] for place in (0, 2, 3))
    assert (newest["status"], newest["verb"], newest["quantity"], newest["originId"]) == (
        "WORKING", "REDUCE", "4000", oldest["id"],
    )  # fmt: skip
    replaced = {"status": "CANCELLED", "outcome": {"reason": "REPLACED"}}
    assert [{**version, "id": None} for version in newest["history"]] == [
        {"id": None, "price": "1.09", **replaced}, {"id": None, "price": "1.08", **replaced},
    ]  # fmt: skip
    assert (oldest["originId"], oldest["history"], oldest["price"]) == (None, [], "1.08")
    assert (removed["type"], removed["status"]) == ("TAKE_PROFIT", "CANCELLED")
    assert {"verb": "PROTECT", "allowed": True} in found["decisionContext"]["permissions"]
    assert len(found["decisionContext"]["orders"]) == 2

    await world.quote("1.094")
    held = "select quantity from positions where account_id = $1"
    assert await value(held, account) == 6000
    await world.quote("1.04")
    assert await value(held, account) == 0
    assert await value("select count(*) from orders where status = 'WORKING'") == 0
    await books_hold()
