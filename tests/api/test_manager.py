"""A manager's work over HTTP: programs, purchases and challenges."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from config.database import connection
from services import brands, presets, purchases
from services.unit_of_work.reads import read_connection
from tests.api.clients import Api
from tests.api.operations import CREATE_PROGRAM, SAVE_GROUP
from tests.services.world import ADMIN, CLIENT, World, a_world, act, books_hold, settle, value

CARD = """query ($id: ID!) { challenge(id: $id) {
  id brand client status createdAt endReason currentPhaseIndex
  purchase { id status price currency paidFrom failureReason externalReference comment tags createdAt updatedAt client
    wallet { id } program { id } account { id } challenges { id } }
  program { id name steps { id programId phaseIndex phaseType initialBalance createdAt updatedAt } profitSplit }
  phases { phaseIndex phaseType status startedAt initialBalance
    latestMetric { equity } progress { rule used } days { number low high } }
  currentPhase { phaseIndex } latestMetric { equity balance } latestBreach { rule }
  days { number date low high traded } metrics(first: 1000) { nodes { equity } } breaches { nodes { rule floor } }
  events { nodes { name number } } payouts { nodes { id } }
} }"""
LIST = """query ($first: Int!) { challenges(first: $first) { nodes {
  id status client purchase { id wallet { client } } program { name } currentPhase { latestMetric { equity } progress {
    rule } } latestBreach { rule } days { number } events(first: 2) { nodes { name } }
} } }"""
UPDATE = """mutation ($input: UpdatePurchaseInput!) { updatePurchase(input: $input) {
  purchase { status externalReference comment tags paidFrom failureReason } userErrors { code field message } } }"""
REFUND = """mutation ($input: RefundPurchaseInput!) { refundPurchase(input: $input) {
  purchase { status } userErrors { code field } } }"""
DELETE_PURCHASE = """mutation ($input: DeletePurchaseInput!) { deletePurchase(input: $input) {
  purchaseId userErrors { code } } }"""
CANCEL = """mutation ($input: CancelChallengeInput!) { cancelChallenge(input: $input) {
  challenge { status endReason } userErrors { code } } }"""
DELETE_PROGRAM = """mutation ($input: DeleteProgramInput!) { deleteProgram(input: $input) {
  deleted { programs phases purchases challenges challengePhases days breaches metrics cancelled }
  finished userErrors { code } } }"""
VALIDATE = """query ($input: CreateProgramInput!) { validateProgram(input: $input) {
  valid problems { code field message transient } } }"""
COUNTERS = """query ($filter: ChallengeFilter) { challengeCounters(filter: $filter) {
  pending active passed failed cancelled total } }"""


@pytest.fixture
async def world(api: Api) -> World:
    return await a_world(api.database_url, cash=20_000)


async def _manager(api: Api) -> Callable[..., Awaitable[Any]]:
    token = await api.token("MANAGER", "acme")

    async def ask(query: str, **variables: Any) -> Any:
        (answer,) = (await api.ask(query, token, **variables)).values()
        return answer

    return ask


async def _groups(api: Api, ask: Callable[..., Awaitable[Any]], deposit: str) -> None:
    for name, kind in (("PROP_DEMO_USD", "DEMO"), ("PROP_REAL_USD", "REAL")):
        group = {"name": name, "kind": kind, "currency": "USD", "defaultDeposit": deposit}
        assert (await ask(SAVE_GROUP, input=group))["userErrors"] == []


async def test_every_preset_is_a_program_that_can_be_created(api: Api, world: World) -> None:
    ask = await _manager(api)
    await _groups(api, ask, "50000")
    found = await ask("{ programPresets { name title source retrievedOn notes program } }")
    names = {"ftmo_2step", "ftmo_1step", "topstep_50k", "apex_intraday_50k", "the5ers_high_stakes", "e8_one"}
    assert names <= {preset["name"] for preset in found} and len(found) == len(presets.all_presets())
    for preset in found:
        assert preset["source"].startswith("https://") and preset["retrievedOn"] and preset["notes"]
        assert (await ask(VALIDATE, input=preset["program"])) == {"valid": True, "problems": []}, preset["name"]
        created = await ask(CREATE_PROGRAM, input=preset["program"])
        assert created["userErrors"] == [], preset["name"]
        steps = preset["program"]["steps"]
        assert [step["name"] for step in created["program"]["steps"]] == [step["name"] for step in steps]


async def test_a_program_is_validated_whole_and_nothing_is_written(api: Api, world: World) -> None:
    ask = await _manager(api)
    step = {"phaseIndex": 2, "phaseType": "EVALUATION", "name": "", "accountGroup": "REAL", "warnAt": ["0.5", "1"],
            "payout": {"cycleDays": 5}}  # fmt: skip
    draft = {"name": " ", "price": "-1", "priceCurrency": "XXX", "dayStart": "noon", "zone": "Mars", "steps": [step]}
    answer = await ask(VALIDATE, input=draft)
    assert not answer["valid"]
    assert [problem["field"] for problem in answer["problems"]] == [
        "name", "price", "zone", "dayStart", "priceCurrency", "steps[0].phaseIndex", "steps[0].name",
        "steps[0].warnAt[1]", "steps[0].payout", "steps[0].profitTargetPct", "steps[0].accountGroup",
    ]  # fmt: skip
    created = await ask(CREATE_PROGRAM, input=draft)
    assert [error["field"] for error in created["userErrors"]] == [p["field"] for p in answer["problems"]]
    assert await value("select count(*) from programs") == 1


async def test_what_a_step_says_is_read_back_and_an_archived_program_is_hidden(api: Api, world: World) -> None:
    ask = await _manager(api)
    step = {
        "phaseIndex": 1,
        "phaseType": "FUNDED",
        "name": "F",
        "accountGroup": "REAL",
        "profitSplit": "0.8",
        "bestDayPct": "40",
        "profitableDays": 3,
        "profitableDayPct": "0.5",
        "inactivityDays": 30,
        "warnAt": ["0.8", "0.5"],
        "maxTotalLossPct": "6",
        "limits": {"totalLoss": {"trail": "TRAIL_BALANCE", "lockAt": "0"}},
        "payout": {"minProfit": "100.50", "cycleDays": 14, "floor": "KEEP"},
    }
    draft = {"name": "Straight", "price": "9", "priceCurrency": "USD", "sortIndex": -1, "steps": [step]}
    created = (await ask(CREATE_PROGRAM, input=draft))["program"]
    read = """query ($id: ID!) { program(id: $id) { profitSplit status steps { programId initialBalance bestDayPct
      profitableDays profitableDayPct inactivityDays warnAt payout limits } } }"""
    program = await ask(read, id=created["id"])
    assert program["profitSplit"] == "0.8"
    said = {name: step[name] for name in ("bestDayPct", "profitableDays", "profitableDayPct", "inactivityDays")}
    assert program["steps"] == [
        said | {"programId": created["id"], "initialBalance": "100000", "warnAt": ["0.5", "0.8"],
                "payout": {"minProfit": "100.5", "cycleDays": 14, "floor": "KEEP"},
                "limits": {"totalLoss": {"trail": "TRAIL_BALANCE", "lockAt": "0"}}}
    ]  # fmt: skip
    move = """mutation ($input: UpdateProgramInput!) { updateProgram(input: $input) { program { status version } } }"""
    await ask(move, input={"id": created["id"], "expectedVersion": 1, "status": "ACTIVE"})
    names = "{ availablePrograms { nodes { name sortIndex } } }"
    assert [one["name"] for one in (await ask(names))["nodes"]] == ["Straight", "Two phases"]
    await ask(move, input={"id": created["id"], "expectedVersion": 2, "status": "ARCHIVED"})
    listed = "query ($filter: ProgramFilter) { programs(filter: $filter) { nodes { name } } }"
    for which, expected in (
        (None, ["Two phases"]),
        ({"status": ["ARCHIVED"]}, ["Straight"]),
        ({"text": "PHASES"}, ["Two phases"]),
        ({"text": created["id"], "status": ["ARCHIVED", "ACTIVE"]}, ["Straight"]),
        ({"phaseType": "EVALUATION"}, ["Two phases"]),
        ({"createdBefore": "2020-01-01T00:00:00Z"}, []),
    ):
        assert [one["name"] for one in (await ask(listed, filter=which))["nodes"]] == expected, which


async def test_the_card_of_a_challenge_has_everything(api: Api, world: World) -> None:
    ask = await _manager(api)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await world.quote("1.09")
    card = await ask(CARD, id=str(challenge))
    assert (card["status"], card["client"], card["endReason"]) == ("FAILED", "alice", "MAX_TOTAL_LOSS")
    assert card["purchase"]["status"] == "ACTIVE" and card["purchase"]["paidFrom"] == "WALLET"
    assert card["purchase"]["challenges"] == [{"id": str(challenge)}]
    assert card["latestBreach"]["rule"] == "MAX_TOTAL_LOSS" == card["breaches"]["nodes"][0]["rule"]
    phase, later = card["phases"]
    assert (later["phaseIndex"], later["status"], later["startedAt"]) == (2, "CANCELLED", None)
    assert (later["latestMetric"], later["progress"]) == (None, [])
    assert phase["latestMetric"] == {"equity": card["latestMetric"]["equity"]}
    assert {at["rule"] for at in phase["progress"]} >= {"MAX_DAILY_LOSS", "MAX_TOTAL_LOSS", "PROFIT_TARGET"}
    assert card["days"] and card["metrics"]["nodes"] and card["currentPhase"] == {"phaseIndex": 1}


async def test_a_page_of_challenges_asks_the_database_as_often_as_one(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = await _manager(api)
    for n in range(6):
        await purchases.buy(CLIENT, world.program, world.wallet, f"k{n}")
    await settle()
    asked: list[str] = []
    fetch = asyncpg.Connection.fetch

    async def counted(self: Any, query: str, *args: Any, **given: Any) -> Any:
        if "order by t.position" not in query:  # the hub's own, which polls beside us
            asked.append(query)
        return await fetch(self, query, *args, **given)

    monkeypatch.setattr(asyncpg.Connection, "fetch", counted)
    counts = []
    for first in (1, 6):
        asked.clear()
        assert len((await ask(LIST, first=first))["nodes"]) == first
        counts.append(len(asked))
    assert counts[0] == counts[1] > 5, counts


FILTERS: list[tuple[dict[str, Any], int]] = [
    ({}, 3),
    ({"status": ["ACTIVE", "FAILED"]}, 2),
    ({"status": ["CANCELLED"]}, 1),
    ({"client": "alice"}, 3),
    ({"client": "bob"}, 0),
    ({"brand": "other"}, 0),
    ({"programId": "{program}"}, 3),
    ({"purchaseId": "{purchase}"}, 1),
    ({"accountId": "{account}"}, 1),
    ({"phaseType": ["EVALUATION"]}, 3),
    ({"phaseType": ["FUNDED"]}, 0),
    ({"createdFrom": "2026-03-02T12:00:00Z", "createdBefore": "2026-03-02T12:00:30+00:00"}, 1),
    ({"createdFrom": "2027-01-01T00:00:00Z"}, 0),
    ({"text": "TWO PHASES"}, 3),
    ({"text": "inv-7%"}, 1),
    ({"text": "inv_7"}, 0),
    ({"text": "ALI"}, 3),
    ({"text": "{challenge}"}, 1),
]


async def test_lists_narrow_by_every_filter_and_the_counters_with_them(api: Api, world: World) -> None:
    ask = await _manager(api)
    challenge, account = await world.buy("k1")
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await world.quote("1.09")
    cancelled, _ = await world.buy("k2")
    await ask(CANCEL, input={"id": str(cancelled), "reason": "x"})
    await world.buy("k3")
    purchase: int = await value("select purchase_id from challenges where id = $1", challenge)
    await ask(UPDATE, input={"id": str(purchase), "externalReference": "Inv-7%", "tags": ["vip"]})
    ids = {"program": world.program, "purchase": purchase, "account": account, "challenge": challenge}
    query = "query ($filter: ChallengeFilter) { challenges(filter: $filter) { totalCount nodes { id } } }"
    for which, expected in FILTERS:
        given = {k: v.format(**ids) if isinstance(v, str) else v for k, v in which.items()}
        page, counted = await ask(query, filter=given), await ask(COUNTERS, filter=given)
        assert page["totalCount"] == len(page["nodes"]) == counted["total"] == expected, which
    assert await ask(COUNTERS) == {"pending": 0, "active": 1, "passed": 0, "failed": 1, "cancelled": 1, "total": 3}
    of_purchases = "query ($filter: PurchaseFilter) { purchases(filter: $filter) { totalCount } }"
    for which, expected in (
        ({"tag": "vip"}, 1),
        ({"tag": "vi"}, 0),
        ({"text": "inv-7"}, 1),
        ({"text": "two"}, 3),
        ({"status": ["ACTIVE"], "client": "alice", "programId": str(world.program)}, 3),
        ({"walletId": str(world.wallet), "createdBefore": "2026-03-02T12:00:30Z"}, 1),
    ):
        assert (await ask(of_purchases, filter=which))["totalCount"] == expected, which
    of_jobs = "query ($filter: JobFilter) { jobs(filter: $filter) { totalCount } }"
    assert (await ask(of_jobs, filter={"challengeId": str(challenge)}))["totalCount"] == 4
    assert (await ask(of_jobs, filter={"accountId": str(account), "kind": "deposit"}))["totalCount"] == 1


async def test_a_purchase_is_noted_refunded_deleted_and_its_program_deleted(api: Api, world: World) -> None:
    ask = await _manager(api)
    challenge, _ = await world.buy("k1")
    purchase = str(await value("select purchase_id from challenges where id = $1", challenge))
    noted = await ask(UPDATE, input={"id": purchase, "comment": "called", "tags": ["a", "b"]})
    assert noted["purchase"]["comment"] == "called" and noted["purchase"]["tags"] == ["a", "b"]
    cleared = await ask(UPDATE, input={"id": purchase, "comment": None})
    assert cleared["purchase"]["comment"] is None and cleared["purchase"]["tags"] == ["a", "b"]
    wrong = await ask(UPDATE, input={"id": purchase, "status": "REFUNDED"})
    assert [(error["code"], error["field"]) for error in wrong["userErrors"]] == [("INVALID_INPUT", "status")]
    linked = await ask(DELETE_PURCHASE, input={"id": purchase, "reason": "x"})
    assert linked == {"purchaseId": None, "userErrors": [{"code": "PURCHASE_LINKED"}]}
    refund = {"id": purchase, "reason": "complaint", "idempotencyKey": "r1"}
    for _ in range(2):
        assert await ask(REFUND, input=refund) == {"purchase": {"status": "REFUNDED"}, "userErrors": []}
    again = await ask(CANCEL, input={"id": str(challenge), "reason": "x"})
    assert again["userErrors"] == [{"code": "INVALID_TRANSITION"}]
    assert (await ask(DELETE_PURCHASE, input={"id": purchase, "reason": "x"}))["purchaseId"] == purchase
    card = await ask(CARD, id=str(challenge))
    assert card["purchase"] is None and card["status"] == "CANCELLED"
    await world.buy("k2")
    deleted = await ask(DELETE_PROGRAM, input={"id": str(world.program), "reason": "discontinued"})
    assert deleted["deleted"]["challenges"] == 2 and deleted["deleted"]["cancelled"] == 1
    assert deleted["finished"] is True
    assert await ask(CARD, id=str(challenge)) is None
    accounts = await ask("{ accounts { nodes { id status challenge { id } } } }")
    assert [(one["status"], one["challenge"]) for one in accounts["nodes"]] == [("LOCKED", None)] * 2
    await books_hold()


async def test_another_brand_finds_nothing_to_act_on(api: Api, world: World) -> None:
    challenge, _ = await world.buy("k1")
    await brands.save_brand(ADMIN, name="other", title="Other")
    stranger = await api.token("MANAGER", "other")
    purchase = str(await value("select purchase_id from challenges where id = $1", challenge))
    for missing in (purchase, "999", "none"):
        assert await api.code(UPDATE, stranger, input={"id": missing, "comment": "x"}) == "NOT_FOUND"
        refund = {"id": missing, "reason": "x", "idempotencyKey": "r"}
        assert await api.code(REFUND, stranger, input=refund) == "NOT_FOUND"
        assert await api.code(DELETE_PURCHASE, stranger, input={"id": missing, "reason": "x"}) == "NOT_FOUND"
    for missing in (str(challenge), "999"):
        assert await api.code(CANCEL, stranger, input={"id": missing, "reason": "x"}) == "NOT_FOUND"
    for missing in (str(world.program), "999"):
        assert await api.code(DELETE_PROGRAM, stranger, input={"id": missing, "reason": "x"}) == "NOT_FOUND"
    counted = await api.ask(COUNTERS, stranger)
    assert counted["challengeCounters"]["total"] == 0
    alice = await api.token("CLIENT", "acme", "alice")
    assert (await api.ask(COUNTERS, alice))["challengeCounters"]["total"] == 1
    bob = await api.token("CLIENT", "acme", "bob")
    assert (await api.ask(COUNTERS, bob))["challengeCounters"]["total"] == 0


async def test_the_newest_metrics_are_found_without_reading_the_others(api: Api, world: World) -> None:
    challenge, account = await world.buy("k1")
    async with read_connection() as conn:
        await conn.execute(
            """insert into metrics (challenge_id, phase_id, account_id, market_time, batch, balance, equity,
              day_start_balance, day_start_equity, day_low, day_high, peak_equity)
            select $1, p.id, $2, now(), n, 1, n, 1, 1, 1, 1, 1
            from generate_series(10, 30000) n, challenge_phases p where p.challenge_id = $1""",
            challenge,
            account,
        )
    async with connection(api.database_url) as owner:  # as the server does by itself, sooner or later
        await owner.execute("analyze metrics")
    ask = await _manager(api)
    seen: list[tuple[str, tuple[Any, ...]]] = []
    query = "query ($id: ID!) { challengeMetrics(challengeId: $id, first: 1000) { nodes { equity batch } } }"
    with pytest.MonkeyPatch.context() as patch:
        fetch = asyncpg.Connection.fetch

        async def noted(self: Any, text: str, *args: Any, **given: Any) -> Any:
            seen.append((text, args))
            return await fetch(self, text, *args, **given)

        patch.setattr(asyncpg.Connection, "fetch", noted)
        nodes = (await ask(query, id=str(challenge)))["nodes"]
    assert [node["batch"] for node in nodes] == list(range(30000, 29000, -1))
    ((text, args),) = [one for one in seen if "from metrics" in one[0]]
    async with read_connection() as conn:
        plan = [row[0] for row in await conn.fetch(f"explain (analyze, costs off, timing off) {text}", *args)]
    read = [float(line.split("rows=")[1].split()[0]) for line in plan if "on metrics_" in line and "rows=" in line]
    assert 1_000 <= sum(read) < 2_000, plan


async def test_a_token_is_told_its_scope_and_its_limits(api: Api, world: World) -> None:
    query = "{ me { scope { owners clones challenges accounts } limits { pageItems historyItems actions quotes } } }"
    trader = await api.token("TRADER", "acme")
    scope = '{"owners": ["alice"], "accounts": [100001]}'
    await value("update tokens set scope = $1 where role = 'TRADER' returning id", scope)
    me = (await api.ask(query, trader))["me"]
    assert me["scope"] == {"owners": ["alice"], "clones": [], "challenges": [], "accounts": ["100001"]}
    assert me["limits"] == {"pageItems": 100, "historyItems": 1000, "actions": 250, "quotes": 5_000}
    assert (await api.ask(query, await api.token("MANAGER", "acme")))["me"]["scope"] is None
