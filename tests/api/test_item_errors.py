"""Batches are checked item by item, in variables and in literals: a bad item is refused alone."""

from decimal import Decimal
from typing import Any

import pytest

from tests.api.clients import Api
from tests.api.operations import INGEST, SUBMIT
from tests.services.world import a_world, rows, value

GOOD = {"action": "OPEN", "symbol": "EURUSD", "side": "LONG"}
ITEMS: list[tuple[str, Any, str | None]] = [
    ("a whole number", {"actionId": "n1", **GOOD, "quantity": 1000}, None),
    ("a number with a fraction", {"actionId": "n2", **GOOD, "action": "INCREASE", "quantity": 1000.0}, None),
    ("a number for an id", {"actionId": 17, **GOOD, "action": "increase", "quantity": 1e3}, None),
    ("small letters", {"actionId": "n3", **GOOD, "action": "reduce", "side": "long", "fraction": 0.5}, None),
    ("null", None, "INVALID_ACTION"),
    ("a list", [{"actionId": "l", **GOOD, "quantity": "1000"}], "INVALID_ACTION"),
    ("a text", "OPEN", "INVALID_ACTION"),
    ("an empty object", {}, "INVALID_ACTION"),
    ("a Boolean", {"actionId": "b1", **GOOD, "quantity": True}, "INVALID_ACTION"),
    ("a list of numbers", {"actionId": "b2", **GOOD, "quantity": [1000]}, "INVALID_ACTION"),
    ("an object for a side", {"actionId": "b3", **GOOD, "side": {"is": "LONG"}}, "INVALID_ACTION"),
    ("null for an id", {"actionId": None, **GOOD, "quantity": "1000"}, "INVALID_ACTION"),
    ("no symbol", {"actionId": "b4", "action": "OPEN", "side": "LONG", "quantity": "1000"}, "INVALID_ACTION"),
    ("a huge number", {"actionId": "b5", **GOOD, "side": "SHORT", "quantity": 10**400}, "INVALID_QUANTITY"),
    ("no number", {"actionId": "b7", **GOOD, "side": "SHORT", "quantity": "NaN"}, "INVALID_QUANTITY"),
    ("no verb", {"actionId": "b8", **GOOD, "action": "BUY", "quantity": "1000"}, "UNSUPPORTED_ACTION"),
]


async def test_each_action_in_variables_is_judged_by_itself(api: Api) -> None:
    world = await a_world(api.database_url)
    _, account = await world.buy()
    trader = await api.token("TRADER", "acme")
    batch = {"accountId": str(account), "runId": "r1", "actions": [item for _, item, _ in ITEMS]}
    for again in (False, True):
        answer = (await api.ask(SUBMIT, trader, input=batch))["submitDecisionActions"]
        assert answer["userErrors"] == []
        assert len(answer["results"]) == len(ITEMS)
        for (name, _, code), result in zip(ITEMS, answer["results"], strict=True):
            assert result["code"] == code, (name, result)
            unread = ("INVALID_ACTION", "UNSUPPORTED_ACTION", "INVALID_QUANTITY")
            assert (result["id"] is None) == (code in unread), name
            assert result["replayed"] == (again and result["id"] is not None), name
    ids = [row["action_id"] for row in await rows("select action_id from decision_actions order by seq")]
    assert ids == ["n1", "n2", "17", "n3"]
    assert await value("select quantity from positions") == Decimal(1500)


LITERALS = """mutation { submitDecisionActions(input: { accountId: "%s", runId: "r1", actions: [
  null
  {}
  []
  7
  true
  "OPEN"
  { actionId: 1, action: open, symbol: "EURUSD", side: LONG, quantity: 1000 }
  { actionId: "2", action: "INCREASE", symbol: "EURUSD", side: "LONG", quantity: 1000.5 }
  { actionId: "3", action: "INCREASE", symbol: "EURUSD", side: "LONG", quantity: true }
  { actionId: "4", action: "INCREASE", symbol: "EURUSD", side: "LONG", quantity: [[1000]] }
  { actionId: "5", action: "INCREASE", symbol: "EURUSD", side: "LONG", quantity: 1e3 }
  { actionId: "6", action: "INCREASE", symbol: "EURUSD", side: "LONG", quantity: %s }
  { actionId: "7", action: "INCREASE", symbol: "EURUSD", side: "LONG", quantity: 1e999 }
] }) { results { actionId code observed } userErrors { code } } }"""


async def test_each_action_in_literals_is_judged_by_itself(api: Api) -> None:
    world = await a_world(api.database_url)
    _, account = await world.buy()
    trader = await api.token("TRADER", "acme")
    answer = await api.ask(LITERALS % (account, "9" * 5000), trader)
    found = [(result["actionId"], result["code"]) for result in answer["submitDecisionActions"]["results"]]
    assert found[6:] == [
        ("1", None), ("2", "QUANTITY_STEP"), ("3", "INVALID_ACTION"), ("4", "INVALID_ACTION"), ("5", None),
        ("6", "INVALID_QUANTITY"), ("7", "INVALID_QUANTITY"),
    ]  # fmt: skip
    assert [code for _, code in found[:6]] == ["INVALID_ACTION"] * 6


VARIABLES = """mutation ($one: DecisionActionInput, $two: DecisionActionInput, $size: TextOrNumber) {
  submitDecisionActions(input: { accountId: "%s", runId: "r1", actions: [
    $one
    $two
    { actionId: "3", action: "OPEN", symbol: "EURUSD", side: "SHORT", quantity: $size }
    { actionId: "4", action: "OPEN", symbol: "EURUSD", side: "SHORT", quantity: [$size] }
  ] }) { results { actionId code } userErrors { code } } }"""


@pytest.mark.parametrize("no_action", [5, True, "OPEN", [], None])
async def test_each_action_that_is_a_variable_of_its_own_is_judged_by_itself(api: Api, no_action: Any) -> None:
    world = await a_world(api.database_url)
    _, account = await world.buy()
    trader = await api.token("TRADER", "acme")
    given = {"one": no_action, "two": {"actionId": "2", **GOOD, "quantity": 1000}, "size": 2000}
    answer = await api.ask(VARIABLES % account, trader, **given)
    assert [one["code"] for one in answer["submitDecisionActions"]["results"]] == [
        "INVALID_ACTION", None, None, "INVALID_ACTION",
    ]  # fmt: skip


async def test_an_unknown_verb_leaves_its_id_free_and_a_refused_one_does_not(api: Api) -> None:
    world = await a_world(api.database_url)
    _, account = await world.buy()
    trader = await api.token("TRADER", "acme")

    async def code(**given: Any) -> str | None:
        actions = [{"actionId": "a1", **GOOD, "quantity": "1000", **given}]
        batch = {"accountId": str(account), "runId": "r1", "actions": actions}
        found: str | None = (await api.ask(SUBMIT, trader, input=batch))["submitDecisionActions"]["results"][0]["code"]
        return found

    assert [await code(action="BUY"), await code(action="OPNE"), await code(quantity=True)] == [
        "UNSUPPORTED_ACTION", "UNSUPPORTED_ACTION", "INVALID_ACTION",
    ]  # fmt: skip
    assert [await code(), await code(action="open"), await code(action="HOLD")] == [None, None, "IDEMPOTENCY_CONFLICT"]


async def test_a_preview_judges_item_by_item_too(api: Api) -> None:
    world = await a_world(api.database_url)
    _, account = await world.buy()
    trader = await api.token("TRADER", "acme")
    query = """query ($actions: [DecisionActionInput]!, $account: ID!) {
      previewDecisionActions(input: { accountId: $account, runId: "r1", actions: $actions }) {
        results { actionId code } after { equity } } }"""
    actions = [None, {"actionId": "a", **GOOD, "quantity": 1000}, 5, {"actionId": "b", **GOOD, "quantity": None}]
    answer = (await api.ask(query, trader, account=str(account), actions=actions))["previewDecisionActions"]
    assert [one["code"] for one in answer["results"]] == [
        "INVALID_ACTION", None, "INVALID_ACTION", "INVALID_QUANTITY",
    ]  # fmt: skip
    assert answer["after"]["equity"]


QUOTE = {"symbol": "EURUSD", "bid": "1.1", "ask": "1.1002", "time": "2030-03-02T12:00:00Z"}
LITERAL_QUOTES = """mutation { ingestQuotes(input: { quotes: [
  null, { symbol: "EURUSD", bid: 1.2, ask: 1.21, time: "2030-03-02T12:00:01Z" }, [], 7,
  { symbol: EURUSD, bid: null, ask: "1", time: "2030-03-02T12:00:01Z" }
  { symbol: "EURUSD", bid: "1", ask: "1", time: "2030-03-02T12:00:01" }
] }) { accepted dropped { symbol reason count } userErrors { code } } }"""


async def test_a_price_of_a_literal_quote_may_be_a_variable(api: Api) -> None:
    await a_world(api.database_url)
    feed = await api.token("FEED")
    asked = """mutation ($bid: TextOrNumber, $ask: TextOrNumber) { ingestQuotes(input: { quotes: [
      { symbol: "EURUSD", bid: $bid, ask: $ask, time: "2030-03-02T12:00:01Z" }
      { symbol: "EURUSD", bid: 1.2, ask: 1.21, time: "2030-03-02T12:00:01Z" }
    ] }) { accepted } }"""
    for bid, accepted in ((1.2, 2), (True, 1), (None, 1)):
        assert (await api.ask(asked, feed, bid=bid, ask="1.3"))["ingestQuotes"]["accepted"] == accepted


@pytest.mark.parametrize("literal", [False, True])
async def test_each_quote_is_judged_by_itself(api: Api, literal: bool) -> None:
    await a_world(api.database_url)
    feed = await api.token("FEED")
    good = {**QUOTE, "bid": 1.2, "ask": 1.21}
    bad = [None, {**QUOTE, "bid": None}, {**QUOTE, "time": QUOTE["time"][:-1]}, [QUOTE], 7]
    asked = {"input": {"quotes": [bad[0], good, *bad[1:]]}}
    answer = await (api.ask(LITERAL_QUOTES, feed) if literal else api.ask(INGEST, feed, **asked))
    taken = answer["ingestQuotes"]
    assert (taken["accepted"], taken["userErrors"]) == (1, [])
    assert taken["dropped"] == [
        {"symbol": "?", "reason": "MALFORMED", "count": 3},
        {"symbol": "EURUSD", "reason": "INVALID_TIME", "count": 1},
        {"symbol": "EURUSD", "reason": "MALFORMED", "count": 1},
    ]
    assert await value("select sum(count)::int from dropped_quotes") == 5
