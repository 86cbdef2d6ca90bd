"""The main journey through the API alone, from a program to an executed action."""

from typing import Any

from tests.api.clients import Api
from tests.api.operations import (
    BUY,
    CREATE_PROGRAM,
    DEPOSIT,
    INGEST,
    SAVE_BRAND,
    SAVE_GROUP,
    SAVE_INSTRUMENT,
    SUBMIT,
    UPDATE_PROGRAM,
)
from tests.services.world import settle

EVENTS = 'subscription { challengeEvents(after: "0") { cursor number name challenge { status } payload } }'
INSTRUMENT = {
    "symbol": "EURUSD",
    "baseCurrency": "EUR",
    "quoteCurrency": "USD",
    "pricePrecision": 5,
    "quantityStep": "1",
    "quantityMin": "1000",
}
EVALUATION = {
    "phaseIndex": 1,
    "phaseType": "EVALUATION",
    "name": "Evaluation",
    "accountGroup": "DEMO",
    "maxDailyLossPct": "5",
    "profitTargetPct": "8",
    "limits": {"dailyLoss": {"reference": "HIGHER"}},
}
FUNDED = {"phaseIndex": 2, "phaseType": "FUNDED", "name": "Funded", "accountGroup": "REAL", "profitSplit": "0.8"}
QUOTE = {"symbol": "EURUSD", "bid": "1.10", "ask": "1.1001", "time": "2026-03-02T12:00:00Z"}


async def test_from_a_brand_to_an_executed_action(api: Api) -> None:
    await _set_up(api)
    manager, client = await api.token("MANAGER", "acme"), await api.token("CLIENT", "acme", "alice")
    program, wallet = await _offer(api, manager), await _deposit(api, manager)
    await _quote(api)
    challenge = await _buy(api, client, program, wallet)
    await _act(api, challenge["account"])
    card = (await api.ask(CARD, client, id=challenge["id"]))["challenge"]
    assert card["days"][0]["equity"] == card["account"]["equity"] == "99998.349925"  # the running day, fee paid
    assert card["days"][0]["closed"] is False
    async with api.follow(client, EVENTS) as follower:
        events = await follower.events(4)
    names = ["purchase.paid", "purchase.account_created", "purchase.active", "challenge.started"]
    assert [event["name"] for event in events] == [f"prop.{name}" for name in names]
    assert [event["number"] for event in events] == [1, 2, 3, 4]


async def _set_up(api: Api) -> None:
    admin = await api.token("ADMIN")
    saved = await api.ask(SAVE_BRAND, admin, input={"name": "acme", "title": "Acme"})
    assert saved["saveBrand"] == {"brand": {"name": "acme", "title": "Acme"}, "userErrors": []}
    assert not (await api.ask(SAVE_INSTRUMENT, admin, input=INSTRUMENT))["saveInstrument"]["userErrors"]


async def _offer(api: Api, manager: str) -> str:
    """Create two groups and a program on sale; return its id."""
    for name, kind in (("DEMO", "DEMO"), ("REAL", "REAL")):
        group = {"name": name, "kind": kind, "currency": "USD", "defaultDeposit": "100000", "policy": {"feeBps": "1.5"}}
        answer = (await api.ask(SAVE_GROUP, manager, input=group))["saveAccountGroup"]
        assert answer["userErrors"] == []
        assert answer["accountGroup"]["policy"]["fee_bps"] == "1.5"
    program = {"name": "Two phases", "price": "99.50", "priceCurrency": "USD", "steps": [EVALUATION, FUNDED]}
    made = (await api.ask(CREATE_PROGRAM, manager, input=program))["createProgram"]
    assert made["userErrors"] == []
    assert made["program"]["status"] == "DISABLED"
    assert made["program"]["steps"][0]["limits"] == {"dailyLoss": {"reference": "HIGHER"}}
    change = {"id": made["program"]["id"], "expectedVersion": made["program"]["version"], "status": "ACTIVE"}
    changed = (await api.ask(UPDATE_PROGRAM, manager, input=change))["updateProgram"]
    assert changed["program"]["status"] == "ACTIVE"
    stale = (await api.ask(UPDATE_PROGRAM, manager, input=change))["updateProgram"]["userErrors"]
    assert [(error["code"], error["transient"]) for error in stale] == [("VERSION_CONFLICT", True)]
    return str(change["id"])


async def _deposit(api: Api, manager: str) -> str:
    """Create and fund Alice's wallet; return its id."""
    money = {"client": "alice", "currency": "USD", "amount": "1000", "idempotencyKey": "w1"}
    wallet = (await api.ask(DEPOSIT, manager, input=money))["depositToWallet"]["wallet"]
    assert (wallet["cash"], wallet["free"]) == ("1000", "1000")
    return str(wallet["id"])


async def _quote(api: Api) -> None:
    unusable = [{**QUOTE, "bid": "a lot"}, {**QUOTE, "symbol": "NOWHERE"}]
    taken = await api.ask(INGEST, await api.token("FEED"), input={"quotes": [QUOTE, *unusable]})
    assert taken["ingestQuotes"] == {
        "accepted": 1,
        "newestBatch": 1,
        "batches": [1],
        "dropped": [
            {"symbol": "EURUSD", "reason": "NOT_FINITE", "count": 1},
            {"symbol": "NOWHERE", "reason": "UNKNOWN_SYMBOL", "count": 1},
        ],
        "userErrors": [],
    }


async def _buy(api: Api, client: str, program: str, wallet: str) -> Any:
    """Return the card of the challenge, once it is started."""
    available = await api.ask("{ availablePrograms { totalCount nodes { id name price profitSplit } } }", client)
    sold = {"id": program, "name": "Two phases", "price": "99.5", "profitSplit": "0.8"}
    assert available["availablePrograms"] == {"totalCount": 1, "nodes": [sold]}
    order = {"programId": program, "walletId": wallet, "idempotencyKey": "b1"}
    bought = (await api.ask(BUY, client, input=order))["buyChallenge"]
    assert bought["userErrors"] == []
    assert (await api.ask(BUY, client, input=order))["buyChallenge"]["purchase"]["id"] == bought["purchase"]["id"]
    await settle()
    challenge = (await api.ask(CARD, client, id=bought["challenge"]["id"]))["challenge"]
    assert challenge["account"]["status"] == "ACTIVE"
    assert challenge["purchase"] == {"status": "ACTIVE", "wallet": {"cash": "900.5", "reserved": "0"}}
    assert challenge["currentPhase"]["progress"][0]["rule"] == "MAX_DAILY_LOSS"
    assert [day["number"] for day in challenge["days"]] == [1]
    return challenge


async def _act(api: Api, account: Any) -> None:
    """Propose two actions: one is executed, one refused, and both can be read."""
    fresh = {**QUOTE, "time": account["startedAt"]}
    assert (await api.ask(INGEST, await api.token("FEED"), input={"quotes": [fresh]}))["ingestQuotes"]["accepted"] == 1
    trader = await api.token("TRADER", "acme")
    action = {"actionId": "a1", "action": "OPEN", "symbol": "EURUSD", "side": "LONG", "quantity": "10000"}
    batch = {"accountId": account["id"], "runId": "r1", "actions": [action, {**action, "actionId": "a2", "side": "UP"}]}
    answer = (await api.ask(SUBMIT, trader, input=batch))["submitDecisionActions"]
    assert answer["userErrors"] == []
    done, refused = answer["results"]
    assert (done["status"], done["fill"]["quantity"], done["fill"]["price"]) == ("EXECUTED", "10000", "1.10005")
    assert (refused["status"], refused["code"], refused["observed"]) == ("REJECTED", "UNSUPPORTED_ACTION", "UP")
    for result in (done, refused):
        recorded = await api.ask(ACTION, trader, id=result["id"])
        assert recorded["decisionAction"] == {**result, "replayed": True}


CARD = """query ($id: ID!) { challenge(id: $id) {
  id status currentPhaseIndex client purchase { status wallet { cash reserved } } program { name }
  terms { hash version }
  phases { name status progress { rule } latestMetric { equity } }
  currentPhase { name progress { rule limit measured level headroom used } }
  latestMetric { equity } latestBreach { rule } days { number date startEquity equity closed }
  metrics { nodes { batch equity } totalCount } breaches { nodes { rule } totalCount } payouts { nodes { id } }
  events { nodes { name number cursor } totalCount }
  account { id login mode status cash balance equity seq chainHead startedAt challenge { id } group
    positions { nodes { id averageEntry } } orders { nodes { id } } fills { nodes { id } }
    ledger(orderBy: OLDEST_FIRST) { nodes { seq kind amount balanceAfter hash facts } totalCount } }
} }"""
ACTION = """query ($id: ID!) { decisionAction(id: $id) {
  id actionId status code observed quote { bid ask sourceTime } replayed order { id } fill { id quantity price fee }
} }"""
