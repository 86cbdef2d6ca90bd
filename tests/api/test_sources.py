"""The fields of both source documents, read over HTTP: programs, purchases, accounts, histories."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.api.clients import Api
from tests.api.operations import CREATE_PROGRAM, SAVE_GROUP, SUBMIT, UPDATE_PROGRAM
from tests.services.world import EVALUATION, a_world, act, changed, rows, value

LIMITS = {
    "durationDays": 30, "maxDailyLossPct": "5", "maxTotalLossPct": "10", "minTradingDays": 5, "maxTradingDays": 30,
    "maxPositions": 10,
}  # fmt: skip
EVALUATED = LIMITS | {
    "phaseIndex": 1, "phaseType": "EVALUATION", "name": "Evaluation", "accountGroup": "PROP_DEMO_USD",
    "maxDailyProfitPct": "0", "profitTargetPct": "8", "profitSplit": "0",
}  # fmt: skip
FUNDED = LIMITS | {
    "phaseIndex": 2, "phaseType": "FUNDED", "name": "Funded", "accountGroup": "PROP_REAL_USD",
    "maxDailyProfitPct": "5", "profitTargetPct": "0", "profitSplit": "0.8", "minTradingDays": 0,
}  # fmt: skip
SETTINGS = {"name": "Two steps", "description": "An example", "price": "499", "priceCurrency": "USD", "sortIndex": 3}
PROGRAM = f"""query ($id: ID!) {{ program(id: $id) {{
  id brand {" ".join(SETTINGS)} profitSplit status createdAt updatedAt
  steps {{ id programId {" ".join(EVALUATED)} initialBalance createdAt updatedAt }} }} }}"""


async def _groups(api: Api, manager: str) -> None:
    for kind in ("DEMO", "REAL"):
        group = {"name": f"PROP_{kind}_USD", "kind": kind, "currency": "USD", "defaultDeposit": "100000"}
        assert (await api.ask(SAVE_GROUP, manager, input=group))["saveAccountGroup"]["userErrors"] == []


async def test_the_documents_own_program_is_saved_and_read_back_field_by_field(api: Api) -> None:
    await a_world(api.database_url)
    manager = await api.token("MANAGER", "acme")
    await _groups(api, manager)
    made = (await api.ask(CREATE_PROGRAM, manager, input={**SETTINGS, "steps": [EVALUATED, FUNDED]}))["createProgram"]
    assert made["userErrors"] == []
    found = (await api.ask(PROGRAM, manager, id=made["program"]["id"]))["program"]
    steps, times = found.pop("steps"), (found.pop("createdAt"), found.pop("updatedAt"))
    assert found == SETTINGS | {
        "id": made["program"]["id"],
        "brand": "acme",
        "profitSplit": "0.8",
        "status": "DISABLED",
    }
    for step, given in zip(steps, (EVALUATED, FUNDED), strict=True):
        assert step.pop("id") and step.pop("createdAt") and step.pop("updatedAt")
        assert step == given | {"programId": found["id"], "initialBalance": "100000"}
    change = {"id": found["id"], "expectedVersion": 1, "status": "ACTIVE"}
    assert (await api.ask(UPDATE_PROGRAM, manager, input=change))["updateProgram"]["userErrors"] == []
    active = (await api.ask(PROGRAM, manager, id=found["id"]))["program"]
    assert (active["status"], active["createdAt"]) == ("ACTIVE", times[0])
    assert active["updatedAt"] > times[1] >= times[0]


async def test_a_field_that_is_not_used_any_more_is_unknown(api: Api) -> None:
    """Check that a program takes neither a group of its own nor an initial balance."""
    await a_world(api.database_url)
    manager = await api.token("MANAGER", "acme")
    step = EVALUATED | {"accountGroup": "DEMO"}
    for more in ({"demoGroup": "DEMO"}, {"initialBalance": "50000"}):
        assert await api.code(CREATE_PROGRAM, manager, input={**SETTINGS, "steps": [step | more]}) == "BAD_USER_INPUT"
    assert await value("select count(*) from programs") == 1


PURCHASE = """query ($id: ID!) { purchase(id: $id) {
  id brand client status price currency paidFrom failureReason externalReference comment tags createdAt updatedAt
  wallet { currency } account { id status } program { id name } challenges { id status currentPhaseIndex } } }"""


async def test_a_purchase_shows_its_program_and_its_challenges(api: Api) -> None:
    world = await a_world(api.database_url)
    challenge, account = await world.buy()
    purchase = str(await value("select purchase_id from challenges where id = $1", challenge))
    card = (await api.ask(PURCHASE, await api.token("MANAGER", "acme"), id=purchase))["purchase"]
    assert card.pop("createdAt") <= card.pop("updatedAt")
    assert card == {
        "id": purchase, "brand": "acme", "client": "alice", "status": "ACTIVE", "price": "500", "currency": "USD",
        "paidFrom": "WALLET", "failureReason": None, "externalReference": None, "comment": None, "tags": [],
        "wallet": {"currency": "USD"}, "account": {"id": str(account), "status": "ACTIVE"},
        "program": {"id": str(world.program), "name": "Two phases"},
        "challenges": [{"id": str(challenge), "status": "ACTIVE", "currentPhaseIndex": 1}],
    }  # fmt: skip


FIGURES = "balance cash equity realised unrealised fees highWatermark startingBalance"
ACCOUNT = f"""query ($id: ID!) {{ account(id: $id) {{
  id login brand mode status owner clone parent {{ id }} group currency policy readOnly blockedUntil startedAt endedAt
  challenge {{ id }} result {{ balance }} {FIGURES} }} }}"""


async def test_an_account_shows_all_that_the_sources_name(api: Api) -> None:
    world = await a_world(api.database_url)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await world.quote("1.103")
    await act(account, "REDUCE", action_id="a2", fraction="0.5")
    found = (await api.ask(ACCOUNT, await api.token("CLIENT", "acme", "alice"), id=str(account)))["account"]
    policy, started = found.pop("policy"), found.pop("startedAt")
    assert (policy["notional_max"], policy["slippage"], started) == (
        "5000000",
        "MID_PRICE",
        "2026-03-02T12:00:00+00:00",
    )
    assert found == {
        "id": str(account), "login": str(account), "brand": "acme", "mode": "EVALUATION", "status": "ACTIVE",
        "owner": "alice", "clone": None, "parent": None, "group": "DEMO", "currency": "USD", "readOnly": False,
        "blockedUntil": None, "endedAt": None, "challenge": {"id": str(challenge)}, "result": None,
        "startingBalance": "100000", "cash": "99984.85", "balance": "99984.85", "realised": "150",
        "unrealised": "150", "equity": "100134.85", "fees": "165.15", "highWatermark": "100190",
    }  # fmt: skip


BY_NAME = """query ($id: ID!, $action: String) { account(id: $id) {
  decisionActions(filter: { runId: "run-7", actionId: $action }) { nodes { id reference status order { id } } } } }"""
BY_ID = "query ($id: ID!) { decisionAction(id: $id) { runId actionId reference replayed status order { id } } }"


async def test_an_action_is_found_again_by_the_callers_own_names(api: Api) -> None:
    world = await a_world(api.database_url)
    _, account = await world.buy()
    trader = await api.token("TRADER", "acme")
    own = {"symbol": "EURUSD", "side": "LONG", "quantity": "1000"}
    named = [own | {"actionId": "a1", "action": "OPEN", "reference": "https://ai.example/decisions/17"},
             own | {"actionId": "a2", "action": "HOLD", "reference": "17 again"}]  # fmt: skip
    submitted = {"accountId": str(account), "runId": "run-7", "actions": named}
    done = (await api.ask(SUBMIT, trader, input=submitted))["submitDecisionActions"]["results"]
    for action, result in zip(named, done, strict=True):
        nodes = (await api.ask(BY_NAME, trader, id=str(account), action=action["actionId"]))["account"]
        [again] = nodes["decisionActions"]["nodes"]
        assert again == {name: result[name] for name in ("id", "status", "order")} | {"reference": action["reference"]}
        by_id = (await api.ask(BY_ID, trader, id=result["id"]))["decisionAction"]
        assert (by_id["runId"], by_id["actionId"], by_id["reference"]) == (
            "run-7", action["actionId"], action["reference"],
        )  # fmt: skip


NEWEST = """query ($id: ID!, $first: Int!, $metrics: String, $breaches: String) {
  challengeMetrics(challengeId: $id, first: $first, after: $metrics) {
    nodes { batch balance equity marketTime dayLow dayHigh } pageInfo { endCursor hasNextPage } }
  challengeBreaches(challengeId: $id, first: $first, after: $breaches) {
    nodes { rule consequence day batch floor observed limit headroom marketTime }
    pageInfo { endCursor hasNextPage } }
  challenge(id: $id) { days { number low high startEquity traded } latestMetric { batch } latestBreach { day } } }"""


async def _pages(api: Api, challenge: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """Check metrics and breaches, two per page, and the card."""
    manager, metrics, breaches = await api.token("MANAGER", "acme"), list[Any](), list[Any]()
    after: dict[str, str | None] = {"metrics": None, "breaches": None}
    more = True
    while more:
        found = await api.ask(NEWEST, manager, id=str(challenge), first=2, **after)
        pages = {"metrics": found["challengeMetrics"], "breaches": found["challengeBreaches"]}
        metrics += pages["metrics"]["nodes"]
        breaches += pages["breaches"]["nodes"]
        after = {name: page["pageInfo"]["endCursor"] or after[name] for name, page in pages.items()}
        more = any(page["pageInfo"]["hasNextPage"] for page in pages.values())
    return metrics, breaches, found["challenge"]


async def test_metrics_and_breaches_come_newest_first(api: Api) -> None:
    warned = changed(EVALUATION, limits={"daily_loss": {"consequence": "WARN"}}, max_total_loss_pct=Decimal(50))
    world = await a_world(api.database_url, steps=[warned])
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    for mid in ("1.094", "1.087", "1.08"):  # a loss of more than 5 % on each of three days
        await world.quote(mid, after=timedelta(hours=23))
        await world.quote(str(Decimal(mid) + Decimal("0.001")), after=timedelta(minutes=5))
    metrics, breaches, card = await _pages(api, challenge)
    stored = await rows("select batch, trim_scale(equity)::text as equity from metrics order by batch desc")
    assert [(one["batch"], one["equity"]) for one in metrics] == [(row["batch"], row["equity"]) for row in stored]
    days = [breach["day"] for breach in breaches]
    assert days == sorted(days, reverse=True)
    assert len(days) > 1
    assert {(breach["rule"], breach["consequence"]) for breach in breaches} == {("MAX_DAILY_LOSS", "WARN")}
    assert (card["latestMetric"]["batch"], card["latestBreach"]["day"]) == (metrics[0]["batch"], days[0])
    assert [day["number"] for day in card["days"]] == list(range(1, len(card["days"]) + 1))
    assert all(Decimal(day["low"]) <= Decimal(day["startEquity"]) <= Decimal(day["high"]) for day in card["days"])
    assert [day["traded"] for day in card["days"]] == [True] + [False] * (len(card["days"]) - 1)
