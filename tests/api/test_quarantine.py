"""A row that this version cannot read is left out of an answer, and an operator can see it."""

from tests.api.clients import Api
from tests.services.test_overflow import a_holder, plant
from tests.services.world import a_world, another_process, books_hold, settle

ACCOUNTS = "{ accounts { nodes { id snapshot { equity } decisionContext { status } } edges { node { id } } } }"
PLAIN = "{ accounts { nodes { id mode } } }"
MARK = """mutation ($account: ID!) {
  markAccountToMarket(input: {accountId: $account}) { accounts userErrors { code } } }"""
SYSTEM = "{ system { quarantined quarantine { accountId error message } } }"


async def test_an_account_that_cannot_be_read_costs_its_own_fields_and_is_named(api: Api) -> None:
    world = await a_world(api.database_url)
    spoilt, sound = [str((await world.buy(key))[1]) for key in ("k1", "k2")]
    async with another_process(api.database_url) as other:
        await other.execute(
            "update accounts set policy = jsonb_set(policy::jsonb, '{later}', '1')::text where id = $1", int(spoilt)
        )
    token = await api.token("MANAGER", "acme")
    marked = (await api.ask(MARK, token, account=spoilt))["markAccountToMarket"]
    assert [error["code"] for error in marked["userErrors"]] == ["ACCOUNT_UNREADABLE"]
    answer = await api.answer(ACCOUNTS, token)
    nodes = {node["id"]: node for node in answer["data"]["accounts"]["nodes"]}
    assert nodes[spoilt] == {"id": spoilt, "snapshot": None, "decisionContext": None}
    assert nodes[sound]["snapshot"] and nodes[sound]["decisionContext"]
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"ACCOUNT_UNREADABLE"}
    told = (await api.answer(SYSTEM, await api.token("ADMIN")))["data"]["system"]
    assert told["quarantined"] == 1
    assert told["quarantine"][0]["accountId"] == spoilt
    assert "later" in told["quarantine"][0]["message"]
    assert spoilt in (await api.http.get("/readyz")).json()["warnings"]["accounts"]
    assert "propdesk_accounts_quarantined 1.0" in (await api.http.get("/metrics")).text


async def test_a_row_with_a_value_of_a_newer_version_is_left_out_of_its_list(api: Api) -> None:
    world = await a_world(api.database_url)
    spoilt, sound = [str((await world.buy(key))[1]) for key in ("k1", "k2")]
    async with another_process(api.database_url) as other:
        await other.execute("alter table accounts drop constraint accounts_mode_check")
        await other.execute("update accounts set mode = 'ARENA' where id = $1", int(spoilt))
    token = await api.token("MANAGER", "acme")
    for query in (PLAIN, ACCOUNTS):
        nodes = (await api.answer(query, token))["data"]["accounts"]["nodes"]
        assert [node["id"] for node in nodes] == [sound]
    assert 'propdesk_unreadable_rows_total{type="Account"}' in (await api.http.get("/metrics")).text
    await settle()


async def test_terms_that_cannot_be_read_cost_their_own_field(api: Api) -> None:
    world = await a_world(api.database_url)
    for key in ("k1", "k2"):
        await world.buy(key)
    async with another_process(api.database_url) as other:
        await other.execute("alter table challenges disable trigger user; alter table purchases disable trigger user")
        await other.execute(
            """insert into terms (hash, version, body)
            select 'later', version, jsonb_set(body::jsonb, '{later}', '1')::text from terms"""
        )
        await other.execute("update challenges set terms_hash = 'later' where id = 1")
        await other.execute("update purchases set terms_hash = 'later' where id = 1")
    token = await api.token("MANAGER", "acme")
    for query in (
        "{ challenges { nodes { id terms { name } } } }",
        "{ purchases { nodes { id terms { name } } } }",
        "{ challenges { nodes { id purchase { terms { name } } } } }",
    ):
        answer = await api.answer(query, token)
        [nodes] = [connection["nodes"] for connection in answer["data"].values()]
        sold = {node["id"]: node.get("purchase", node)["terms"] for node in nodes}
        assert sold == {"1": None, "2": {"name": "Two phases"}}
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["TERMS_UNREADABLE"]


BRICKED = "query ($id: ID!) { account(id: $id) { %s } }"
WHY = "quarantine { accountId seq error message enteredAt }"
RELEASE = """mutation ($account: ID!, $passOver: Boolean!) {
  releaseQuarantine(input: {accountId: $account, reason: "a broken feed", passOver: $passOver}) {
    account { id quarantine { error } } userErrors { code message transient } } }"""
VERBS = {
    "submitDecisionActions": """accountId: $account, runId: "r", actions: [
      {actionId: "x", action: "CLOSE", symbol: "EURUSD", side: "LONG"}]""",
    "previewDecisionActions": """accountId: $account, runId: "r", actions: [
      {actionId: "x", action: "CLOSE", symbol: "EURUSD", side: "LONG"}]""",
    "pauseAccount": 'accountId: $account, reason: "why"',
    "lockAccount": 'accountId: $account, reason: "why"',
    "liquidateAccount": 'accountId: $account, reason: "why"',
    "adjustAccount": 'accountId: $account, reason: "why", amount: "1", countsAsProfit: true, idempotencyKey: "a"',
    "markAccountToMarket": "accountId: $account",
    "cancelChallenge": 'id: "1", reason: "why"',
    "requestPayout": 'challengeId: "1", idempotencyKey: "p"',
    "refundPurchase": 'id: "1", reason: "why", idempotencyKey: "r"',
}


async def test_every_verb_on_an_account_that_cannot_be_computed_says_so_until_it_is_released(api: Api) -> None:
    world = await a_world(api.database_url)
    account = str(await a_holder(world))
    token = await api.token("MANAGER", "acme")
    [before] = (await api.ask("{ accounts { nodes { quarantine { error } } } }", token))["accounts"]["nodes"]
    assert before == {"quarantine": None}
    await plant(world, api.database_url)
    await world.quote("1.1")
    for verb, given in VERBS.items():
        kind = "query" if verb.startswith("preview") else "mutation"
        text = f"{kind} ($account: ID!) {{ {verb}(input: {{ {given} }}) {{ userErrors {{ code message }} }} }}"
        answer = await api.answer(text if "$account" in given else text.replace("($account: ID!)", ""), token,
                                  **({"account": account} if "$account" in given else {}))  # fmt: skip
        [error] = answer["data"][verb]["userErrors"]
        assert error["code"] == "ACCOUNT_QUARANTINED", (verb, answer)
        assert "NotStorable: high_watermark is 3" in error["message"], (verb, answer)
    for fields in ("snapshot { equity }", "decisionContext { status }"):
        answer = await api.answer(BRICKED % fields, token, id=account)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["ACCOUNT_QUARANTINED"], answer
    row = (await api.ask(BRICKED % f"id cash {WHY}", token, id=account))["account"]
    assert (row["quarantine"]["error"], row["quarantine"]["accountId"]) == ("NotStorable", account)
    refused = (await api.ask(RELEASE, token, account=account, passOver=False))["releaseQuarantine"]
    assert [error["code"] for error in refused["userErrors"]] == ["ACCOUNT_QUARANTINED"]
    released = (await api.ask(RELEASE, token, account=account, passOver=True))["releaseQuarantine"]
    assert released == {"account": {"id": account, "quarantine": None}, "userErrors": []}
    assert (await api.ask(BRICKED % "snapshot { equity }", token, id=account))["account"]["snapshot"]
    await books_hold()
