"""A wrong quote and its reinstatements for admins, managers and clients; another brand sees nothing."""

from typing import Any

from domain.voids import Span
from services import brands, events
from services.principals import Role
from tests.api.clients import Api
from tests.services.bad_prints import a_victim, void
from tests.services.world import ADMIN, books_hold, settle

VOID = """mutation ($input: VoidQuotesInput!) { voidQuotes(input: $input) {
  quoteVoid { id symbol sourceFrom sourceBefore firstBatch lastBatch quotes reason } userErrors { code field } } }"""
VOIDS = "{ quoteVoids { totalCount nodes { id symbol reason } } }"
HIT = """query ($symbol: String!, $from: DateTime!, $before: DateTime!) {
  challengesHit(symbol: $symbol, sourceFrom: $from, sourceBefore: $before) { totalCount nodes {
    id client latestBreach { rule overturned { reason } } } } }"""
REINSTATE = """mutation ($input: ReinstateChallengeInput!) { reinstateChallenge(input: $input) {
  challenge { status account { id balance } currentPhase { run status account { id } } }
  reinstatement { id reason actor accountId newAccountId breachId differences { what stored computed } }
  differences { what stored computed } leftOutFills userErrors { code field message } } }"""
BULK = """mutation ($input: ReinstateChallengesInput!) { reinstateChallenges(input: $input) {
  bulkReinstatement { id hit pending } userErrors { code field } } }"""
PROGRESS = """query ($id: ID!) { bulkReinstatement(id: $id) { symbol reason hit pending reinstated refused
  results(outcome: [REINSTATED]) { totalCount nodes { outcome code decidedAt challenge { status } } } } }"""
CHALLENGE = """query ($id: ID!) { challenge(id: $id) { status endReason
  phases { phaseIndex run superseded status overturned { reason newAccountId } reinstatement { accountId } }
  breaches { nodes { rule overturned { id leftOutFills } } } days { number } events { nodes { name payload } } } }"""
PAGE = """{ challenges { nodes {
  currentPhase { run } phases { run overturned { id } } latestBreach { overturned { id } } } } }"""


def times_of(span: Span) -> dict[str, str]:
    return {"sourceFrom": span.source_from.isoformat(), "sourceBefore": span.source_before.isoformat()}


def asked_for(challenge: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": str(challenge),
        "reason": "a bad print",
        "shownReason": "a bad print",
        "apply": True,
        "idempotencyKey": "k1",
        **changes,
    }


async def test_quotes_are_voided_and_who_failed_by_them_is_shown(api: Api) -> None:
    _, challenge, _, span, _ = await a_victim(api.database_url)
    admin, manager = await api.token(Role.ADMIN), await api.token(Role.MANAGER, "acme")
    await brands.save_brand(ADMIN, name="other", title="Other")
    stranger = await api.token(Role.MANAGER, "other")
    early = (await api.ask(REINSTATE, manager, input=asked_for(challenge)))["reinstateChallenge"]
    assert [error["code"] for error in early["userErrors"]] == ["VERDICT_STANDS"]
    wrong = {"symbol": "EURUSD", "reason": "ten times too low", **times_of(span)}
    voided = (await api.ask(VOID, admin, input=wrong))["voidQuotes"]
    assert (voided["quoteVoid"]["quotes"], voided["quoteVoid"]["reason"]) == (1, "ten times too low")
    again = (await api.ask(VOID, admin, input={**wrong, "reason": "again"}))["voidQuotes"]
    assert again == voided, "it is void once, and keeps its reason"
    [shown] = (await api.ask(VOIDS, manager))["quoteVoids"]["nodes"]
    assert shown["id"] == voided["quoteVoid"]["id"]
    times = times_of(span)
    where = {"symbol": "EURUSD", "from": times["sourceFrom"], "before": times["sourceBefore"]}
    [hit] = (await api.ask(HIT, manager, **where))["challengesHit"]["nodes"]
    assert (hit["id"], hit["client"], hit["latestBreach"]["overturned"]) == (str(challenge), "alice", None)
    assert (await api.ask(HIT, stranger, **where))["challengesHit"] == {"totalCount": 0, "nodes": []}


async def test_a_verdict_is_set_aside_after_a_preview_and_the_client_is_told(api: Api) -> None:
    _, challenge, account, span, equity = await a_victim(api.database_url)
    await void(span)
    manager, client = await api.token(Role.MANAGER, "acme"), await api.token(Role.CLIENT, "acme", "alice")

    async def reinstate(**changes: Any) -> dict[str, Any]:
        asked = asked_for(challenge, **changes)
        answer: dict[str, Any] = (await api.ask(REINSTATE, manager, input=asked))["reinstateChallenge"]
        return answer

    preview = await reinstate(apply=False)
    assert (preview["reinstatement"], preview["challenge"]["status"]) == (None, "FAILED")
    done = await reinstate()
    assert (done["userErrors"], done["differences"]) == ([], preview["differences"])
    assert done["reinstatement"]["differences"] == done["differences"]
    assert (done["reinstatement"]["reason"], done["reinstatement"]["actor"]) == ("a bad print", "manager:manager")
    card = done["challenge"]
    new = card["account"]["id"]
    assert (card["status"], card["currentPhase"]) == ("ACTIVE", {"run": 2, "status": "ACTIVE", "account": {"id": new}})
    assert float(card["account"]["balance"]) == float(equity)
    assert await reinstate() == done
    assert [e["code"] for e in (await reinstate(idempotencyKey="k2"))["userErrors"]] == ["ALREADY_REINSTATED"]
    await _is_shown(api, client, challenge, account, done)
    [row] = (await api.ask(PAGE, manager))["challenges"]["nodes"]
    assert row["currentPhase"] == {"run": 2}
    assert row["latestBreach"]["overturned"]["id"] == done["reinstatement"]["id"]
    await books_hold()


async def _is_shown(api: Api, client: str, challenge: int, account: int, done: dict[str, Any]) -> None:
    """Return runs, breach and event as the client sees them."""
    await events.stamp()
    new = done["challenge"]["account"]["id"]
    mine = (await api.ask(CHALLENGE, client, id=str(challenge)))["challenge"]
    assert (mine["status"], mine["endReason"]) == ("ACTIVE", None)
    overturned = {"reason": "a bad print", "newAccountId": new}
    assert mine["phases"] == [
        {"phaseIndex": 1, "run": 1, "superseded": True, "status": "FAILED", "overturned": overturned,
         "reinstatement": None},
        {"phaseIndex": 1, "run": 2, "superseded": False, "status": "ACTIVE", "overturned": None,
         "reinstatement": {"accountId": str(account)}},
        {"phaseIndex": 2, "run": 2, "superseded": False, "status": "PENDING", "overturned": None,
         "reinstatement": None},
    ]  # fmt: skip
    assert mine["breaches"]["nodes"][0]["overturned"]["id"] == done["reinstatement"]["id"]
    told = mine["events"]["nodes"][0]
    assert (told["name"], told["payload"]["reason"]) == ("prop.challenge.reinstated", "a bad print")
    assert (told["payload"]["account"], told["payload"]["previous_account"]) == (int(new), account)


async def test_another_brands_challenge_is_a_missing_one_and_clients_may_not(api: Api) -> None:
    _, challenge, _, span, _ = await a_victim(api.database_url)
    await brands.save_brand(ADMIN, name="other", title="Other")
    asked = asked_for(challenge, apply=False)
    stranger, client = await api.token(Role.MANAGER, "other"), await api.token(Role.CLIENT, "acme", "alice")
    found = (await api.answer(REINSTATE, stranger, input=asked))["errors"][0]
    missing = (await api.answer(REINSTATE, stranger, input={**asked, "id": "999999"}))["errors"][0]
    assert found["extensions"]["code"] == missing["extensions"]["code"] == "NOT_FOUND"
    assert found["message"].replace(str(challenge), "999999") == missing["message"]
    assert await api.code(REINSTATE, client, input=asked) == "FORBIDDEN"
    wrong = {"symbol": "EURUSD", "reason": "a bad print", **times_of(span)}
    assert await api.code(VOID, await api.token(Role.MANAGER, "acme"), input=wrong) == "FORBIDDEN"


async def test_all_that_were_hit_are_set_aside_and_listed(api: Api) -> None:
    _, _, _, span, _ = await a_victim(api.database_url)
    admin, manager = await api.token(Role.ADMIN), await api.token(Role.MANAGER, "acme")
    await brands.save_brand(ADMIN, name="other", title="Other")
    stranger = await api.token(Role.MANAGER, "other")
    times = times_of(span)
    asked = {"symbol": "EURUSD", "reason": "a bad print", "idempotencyKey": "b1", **times}
    early = (await api.ask(BULK, manager, input=asked))["reinstateChallenges"]
    assert [(e["code"], e["field"]) for e in early["userErrors"]] == [("INVALID_INPUT", "sourceFrom")]
    await api.ask(VOID, admin, input={"symbol": "EURUSD", "reason": "a bad print", **times})
    bulk = (await api.ask(BULK, manager, input=asked))["reinstateChallenges"]["bulkReinstatement"]
    assert (bulk["hit"], bulk["pending"]) == (1, 1)
    await settle()
    done = (await api.ask(PROGRESS, manager, id=bulk["id"]))["bulkReinstatement"]
    assert (done["hit"], done["pending"], done["reinstated"], done["refused"]) == (1, 0, 1, 0)
    [result] = done["results"]["nodes"]
    assert (result["outcome"], result["challenge"]) == ("REINSTATED", {"status": "ACTIVE"})
    assert (await api.ask(PROGRESS, stranger, id=bulk["id"]))["bulkReinstatement"] is None
    await books_hold()
